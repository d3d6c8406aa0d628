import { Release } from '../e2e/kubernetes/cluster.ts'
import { onCluster } from './on-cluster.ts'

/** What a pod may spend on its agent (RSS in MB of 10^6 bytes, probes in ms, CPU of one core). */
const ALLOWED = { rssMb: 80, probeP99Ms: 50, cpuPercent: 1 } as const
const SERVERS = [0, 1, 2] as const
/** The program starts, reads metrics and ends beside the seconds that it probes. */
const PROGRAM_SECONDS = 60

/** What the program `probe-agents` prints of each agent. */
interface Seen {
  readonly failed: number
  readonly times: readonly number[]
  readonly rssBytesMax: number
  readonly cpuPercent: number
}

/**
 * On a cluster: three servers that nobody uses, the agent of each probed once a second beside the
 * kubelet's own probes, and scraped. The memory is what each agent says of itself, at the most.
 */
export function agentIdle(seconds: number) {
  return onCluster('agent-idle', async ({ namespace }) => {
    const release = new Release(namespace, 'idle')
    await release.install()
    await release.rolledOut()
    await release.hasMembers(SERVERS.length)
    const urls = SERVERS.map((ordinal) => `http://idle-${ordinal}.idle-hs:8090`).join()
    const env = [
      { name: 'URLS', value: urls },
      { name: 'SECONDS', value: String(seconds) },
    ]
    const within = seconds + PROGRAM_SECONDS
    await namespace.startProgram('probe-agents', 'probe-agents', env, 'Succeeded', {}, within)
    const seen = JSON.parse(await namespace.kubectl('logs', 'probe-agents')) as readonly Seen[]
    const times = seen.flatMap((agent) => agent.times).sort((left, right) => left - right)
    const measured = {
      agents: seen.length,
      probes: times.length,
      failed: seen.reduce((sum, { failed }) => sum + failed, 0),
      rssMbMax: seen.map(({ rssBytesMax }) => rounded(rssBytesMax / 1e6)),
      probeP50Ms: rounded(quantile(times, 0.5)),
      probeP99Ms: rounded(quantile(times, 0.99)),
      cpuPercent: seen.map(({ cpuPercent }) => rounded(cpuPercent)),
    }
    const passed =
      measured.agents === SERVERS.length &&
      measured.failed === 0 &&
      Math.max(...measured.rssMbMax) < ALLOWED.rssMb &&
      measured.probeP99Ms < ALLOWED.probeP99Ms &&
      Math.max(...measured.cpuPercent) < ALLOWED.cpuPercent
    return { passed, allowed: ALLOWED, ...measured }
  })
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
}

function rounded(value: number): number {
  return Math.round(100 * value) / 100
}

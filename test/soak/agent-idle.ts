import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { Release } from '../unit/agent/pods.ts'

/** What a pod may spend on its agent (RSS in MB of 10^6 bytes, probes in ms, CPU of one core). */
const ALLOWED = { rssMb: 80, probeP99Ms: 50, cpuPercent: 1 } as const
const PROBES = ['/agentz', '/engine/livez', '/engine/readyz'] as const
const PROBE_EVERY_MS = 1_000
/** The kernel counts CPU time in hundredths of a second, whatever its own clock. */
const TICKS_PER_SECOND = 100

/**
 * One pod that serves, probed once a second as the kubelet does it, each probe on a connection of its
 * own. The double of the Kubernetes API runs in this process, not in the agent's.
 */
export async function agentIdle(seconds: number) {
  const release = await Release.create(1)
  try {
    await release.start()
    const pod = release.pod(0)
    const { pid } = pod.agent
    if (pid === undefined) throw new Error('the agent does not run')
    const times: number[] = []
    let failed = 0
    let rssMb = 0
    const beganMs = performance.now()
    const cpuBefore = cpuSeconds(pid)
    for (let second = 0; second < seconds; second += 1) {
      await until(beganMs + second * PROBE_EVERY_MS)
      const path = PROBES[second % PROBES.length] ?? PROBES[0]
      const { status, ms } = await probe(pod.url(path))
      if (status !== 200) failed += 1
      times.push(ms)
      rssMb = Math.max(rssMb, residentMb(pid))
    }
    await until(beganMs + seconds * PROBE_EVERY_MS)
    const elapsed = (performance.now() - beganMs) / 1000
    const cpuPercent = rounded((100 * (cpuSeconds(pid) - cpuBefore)) / elapsed)
    times.sort((left, right) => left - right)
    const measured = {
      probes: times.length,
      failed,
      rssMbMax: rounded(rssMb),
      probeP50Ms: rounded(quantile(times, 0.5)),
      probeP99Ms: rounded(quantile(times, 0.99)),
      cpuPercent,
    }
    const passed =
      failed === 0 &&
      measured.rssMbMax < ALLOWED.rssMb &&
      measured.probeP99Ms < ALLOWED.probeP99Ms &&
      cpuPercent < ALLOWED.cpuPercent
    return { passed, allowed: ALLOWED, ...measured }
  } finally {
    await release.close()
  }
}

async function until(atMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - performance.now())))
}

function probe(url: string): Promise<{ readonly status: number; readonly ms: number }> {
  const beganMs = performance.now()
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.resume()
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, ms: performance.now() - beganMs })
      })
    }).on('error', reject)
  })
}

/** User and system time of a process so far. */
function cpuSeconds(pid: number): number {
  // The name of the program, in parentheses, may hold spaces; the fields after it do not.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

function residentMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  if (kilobytes === undefined) throw new Error('the kernel does not tell the resident memory')
  return (Number(kilobytes) * 1024) / 1e6
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
}

function rounded(value: number): number {
  return Math.round(100 * value) / 100
}

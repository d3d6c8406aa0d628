import { type Namespace, Release } from '../e2e/kubernetes/cluster.ts'
import { Agents } from '../e2e/kubernetes/strikes.ts'
import { WRITE_GAP_MS_MAX } from '../e2e/kubernetes/suite.ts'
import { WriteLoad } from '../e2e/kubernetes/write-load.ts'
import { onCluster } from './on-cluster.ts'

const SERVERS = [0, 1, 2] as const
const KILLED = 1
/** Some 20 writes a second: as many lines as the log of a pod holds before it is rotated. */
const PACE_MS = 200
/** The kubelet starts a container again after 5 minutes at the latest. */
const BACK_MS_MAX = 400_000
/** Between two looks at the cluster, which itself costs the servers CPU. */
const LOOK_EVERY_MS = 2_000

interface Measured {
  readonly killingSeconds: number
  readonly kills: number
  readonly sawBackOff: boolean
  readonly agentRestarts: readonly number[]
  readonly serverRestarts: readonly number[]
  readonly samePods: boolean
  readonly sameMembers: boolean
  /** Permits that the agent has given since it is back: its server runs. */
  readonly permitsAfterwards: number
  readonly backAfterSeconds: number
  readonly writes: number
  readonly lost: number
  readonly longestGapMs: number
}

/**
 * On a cluster: the agent of one of three pods is killed whenever it runs, for so many seconds, while
 * clients write. No server is restarted for it, and the pod is Ready once the agent may live again.
 */
export function agentCrashLoop(seconds: number) {
  return onCluster('agent-crash-loop', ({ namespace, host }) =>
    crashLoop(new Release(namespace, 'loop'), host, seconds),
  )
}

async function crashLoop(release: Release, host: Namespace, seconds: number) {
  const agents = new Agents(release)
  await release.install()
  await release.rolledOut()
  await release.hasMembers(SERVERS.length)
  const load = new WriteLoad(release, PACE_MS)
  await load.start()
  const ids = await release.memberIds()
  const uids = await uidsOf(agents)
  const killing = await startKilling(agents, release, host, seconds)
  let sawBackOff = false
  await look('the killing has ended', (seconds + 60) * 1_000, async () => {
    const { state } = await agents.container(KILLED)
    sawBackOff ||= state.waiting?.reason === 'CrashLoopBackOff'
    return await killing.hasEnded()
  })
  const backMs = await look('the agent is back', BACK_MS_MAX, () => isBack(agents))
  await load.goesOn()
  const lost = await Promise.all(SERVERS.map((ordinal) => load.lost(ordinal)))
  const each = <T>(of: (ordinal: number) => Promise<T>) => Promise.all(SERVERS.map(of))
  const measured: Measured = {
    killingSeconds: seconds,
    kills: await killing.kills(),
    sawBackOff,
    agentRestarts: await each(async (ordinal) => (await agents.container(ordinal)).restartCount),
    serverRestarts: await each((ordinal) => release.restarts(ordinal)),
    samePods: (await uidsOf(agents)).join() === uids.join(),
    sameMembers: (await release.memberIds()).join() === ids.join(),
    permitsAfterwards: await agents.permits(KILLED),
    backAfterSeconds: Math.round(backMs / 1_000),
    writes: (await load.acknowledged()).length,
    lost: lost.flat().length,
    longestGapMs: await load.longestGapMs(),
  }
  return { passed: isAsItShouldBe(measured), ...measured }
}

function isAsItShouldBe(measured: Measured): boolean {
  const { agentRestarts, serverRestarts, kills } = measured
  return (
    measured.sawBackOff &&
    kills > 0 &&
    agentRestarts.every((count, ordinal) => count === (ordinal === KILLED ? kills : 0)) &&
    serverRestarts.every((count) => count === 0) &&
    measured.samePods &&
    measured.sameMembers &&
    measured.permitsAfterwards === 0 &&
    measured.lost === 0 &&
    measured.longestGapMs < WRITE_GAP_MS_MAX
  )
}

async function uidsOf(agents: Agents): Promise<string[]> {
  const pods = await Promise.all(SERVERS.map((ordinal) => agents.pod(ordinal)))
  return pods.map(({ metadata }) => metadata.uid)
}

async function startKilling(agents: Agents, release: Release, host: Namespace, seconds: number) {
  const { metadata, spec } = await agents.pod(KILLED)
  const env = { POD: metadata.name, IN: release.namespace.name, SECONDS: String(seconds) }
  await host.startOnNode('kill-agent', 'kill-agent', spec.nodeName, env, 'Running')
  const log = () => host.kubectl('logs', 'kill-agent')
  return {
    hasEnded: async () => /^kills \d+$/m.test(await log()),
    kills: async () => Number(/^kills (\d+)$/m.exec(await log())?.[1]),
  }
}

/** The agent has decided, and the kubelet calls the pod Ready. */
async function isBack(agents: Agents): Promise<boolean> {
  const { ready } = await agents.container(KILLED)
  if (!ready || !(await agents.isPodReady(KILLED))) return false
  return (await agents.status(KILLED)).phase === 'serving'
}

/** Resolves when `condition` is met, with how long that took. */
async function look(
  what: string,
  withinMs: number,
  condition: () => Promise<boolean>,
): Promise<number> {
  const began = performance.now()
  while (!(await condition())) {
    if (performance.now() - began > withinMs) throw new Error(`${what}: not within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return performance.now() - began
}

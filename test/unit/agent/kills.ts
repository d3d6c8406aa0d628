import { waitFor } from '../../support/wait-for.ts'
import type { Release } from './pods.ts'

/** Between two kills at most: about as long as the steps of forming take together. */
const KILL_EVERY_MS_MAX = 1_500
const READY_WITHIN_MS = 90_000
const FORMED_WITHIN_MS = 20_000

/**
 * Installs a release of three and kills agents and servers meanwhile, each started again at once.
 * Resolves with the number of processes that were killed when exactly one cluster stands, which the
 * record names, with three voters; rejects when it is not so in time.
 */
export async function installThroughKills(
  release: Release,
  kills: number,
  seed: number,
): Promise<number> {
  const random = randomOf(seed)
  const starts = release.pods.map((pod) => pod.start())
  let killed = 0
  while (killed < kills) {
    // Anywhere in the steps of forming: the moment is the random part of it.
    await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS_MAX * random()))
    const pod = release.pod(Math.floor(release.pods.length * random()))
    const victim = random() < 0.5 ? pod.agent : pod.engine
    if (!victim.isRunning) continue
    await victim.signal('SIGKILL')
    victim.start()
    killed += 1
  }
  await Promise.all(starts)
  // A shell whose agent died with the pipe open has ended: the kubelet starts it again.
  await waitFor(
    'all are ready',
    async () => {
      for (const { engine } of release.pods) if (!engine.isRunning) engine.start()
      const probes = await Promise.all(release.pods.map((pod) => pod.probe('/engine/readyz')))
      return probes.every((status) => status === 200)
    },
    READY_WITHIN_MS,
  )
  await waitFor(
    'one cluster, which the record names',
    () => isOneCluster(release),
    FORMED_WITHIN_MS,
  )
  return killed
}

async function isOneCluster(release: Release): Promise<boolean> {
  const views = await Promise.all(release.pods.map((pod) => pod.status()))
  const ids = new Set(views.map(({ observation }) => observation.engine.clusterId))
  const [id = ''] = ids
  if (ids.size > 1) throw new Error(`these are several clusters: ${[...ids].join(', ')}`)
  const record = release.kubernetes.data('q-forming')
  if (id === '' || record?.['phase'] !== 'formed' || record['clusterId'] !== id) return false
  const voters = await Promise.all(release.pods.map((_, ordinal) => release.members(ordinal)))
  return voters.every((names) => names.length === release.pods.length)
}

/** A small generator, so that a seed tells a run again as far as processes allow. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

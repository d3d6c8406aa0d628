import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { Release } from './pods.ts'

const KILLS = Number(process.env['QUORATE_AGENT_KILLS'] ?? 6)
const SEED = Number(process.env['QUORATE_AGENT_SEED'] ?? 1)

describe('a first install that is killed again and again', () => {
  let release: Release

  beforeAll(async () => {
    release = await Release.create(3)
  })

  afterAll(async () => {
    await release.close()
  })

  it(`forms one cluster through ${KILLS} kills of agents and servers (seed ${SEED})`, async () => {
    const random = randomOf(SEED)
    const starts = release.pods.map((pod) => pod.start())
    for (let kill = 0; kill < KILLS; kill += 1) {
      // Anywhere in the steps of forming: the moment is the random part of it.
      await new Promise((resolve) => setTimeout(resolve, 1_500 * random()))
      const pod = release.pod(Math.floor(3 * random()))
      const victim = random() < 0.5 ? pod.agent : pod.engine
      if (!victim.isRunning) continue
      await victim.signal('SIGKILL')
      victim.start()
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
      90_000,
    )
    const views = await Promise.all(release.pods.map((pod) => pod.status()))
    const ids = new Set(views.map(({ observation }) => observation.engine.clusterId))
    expect(ids.size).toBe(1)
    await waitFor('the record', () => {
      const record = release.kubernetes.data('q-forming')
      return record?.['phase'] === 'formed' && ids.has(record['clusterId'] ?? '')
    })
    await waitFor('three voters', async () => (await release.members(0)).length === 3, 20_000)
  }, 180_000)
})

/** A small generator, so that a seed tells a run again as far as processes allow. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

import { describe, expect, it } from 'vitest'
import type { Fetched, StatefulSetView } from '../../../agent/core/observation.ts'
import { serverPolicy } from '../../../agent/core/server-policy.ts'
import type { Engine } from '../../../agent/engines/engine.ts'
import type { ClusterApi, PodView } from '../../../agent/kubernetes/cluster-api.ts'
import { limits } from '../../../agent/limits.ts'
import { Sightings } from '../../../agent/sightings.ts'
import { holding, serving, set } from './observations.ts'

describe('the owner of the pod', () => {
  it('is read again when a set of another UID has taken the name', async () => {
    let uid = 'first'
    let owner = 'first'
    let reads = 0
    const cluster: Partial<ClusterApi> = {
      record: async () => ({ kind: 'notFound', atMs: 0 }),
      statefulSet: async (): Promise<Fetched<StatefulSetView>> => set({ uid }),
      pod: async (): Promise<Fetched<PodView>> => {
        reads += 1
        return { kind: 'ok', atMs: 0, value: { uid: 'pod', ownerUid: owner, disruption: '' } }
      },
    }
    const engine: Partial<Engine> = {
      policy: serverPolicy,
      discover: () => holding('c1'),
      observe: async () => serving('q-0'),
    }
    const sightings = new Sightings({
      self: { set: 'q', pod: 'q-0', ordinal: 0 },
      engine: engine as Engine,
      cluster: cluster as ClusterApi,
      askPeers: async () => [],
      limits,
      logger: { warn: () => {} },
      nowMs: () => 0,
    })
    const ownerUid = async () => {
      await sightings.readStatefulSet()
      return (await sightings.look({ asking: false, draining: false, settled: false })).ownerUid
    }
    expect(await ownerUid()).toBe('first')
    expect(await ownerUid()).toBe('first')
    expect(reads).toBe(1)
    uid = 'second'
    expect(await ownerUid()).toBe('first')
    owner = 'second'
    expect(await ownerUid()).toBe('second')
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { cablesHealed, hasCables, titleWithCables } from './cables.ts'
import { Namespace, Release } from './cluster.ts'
import { Dependent } from './dependent.ts'
import { type GaleraStart, galeraLog, galeraStarts } from './galera-starts.ts'
import { GALERA, GALERA_VALUES } from './galera-subject.ts'
import { suite } from './suite.ts'

const NAME = 'galera-outages'
const THREE = [0, 1, 2]
const ROUNDS = 3
/** Pods that strike together have so long to start. */
const STRIKE_IN_MS = 30_000
/** A server that writes to nobody is dropped by the others after 5 s (evs.suspect_timeout), by the kubelet after 40. */
const CUT_WITHIN_MS = 120_000

/** Who started the cluster, and whether anybody was let in before the one before it was in. */
const shapeOf = (starts: readonly GaleraStart[]) => ({
  kinds: starts.map(({ kind }) => kind),
  overlapping: starts.filter(({ startedAtMs }, at) => {
    const before = starts[at - 1]
    return before !== undefined && startedAtMs < before.syncedAtMs
  }),
})

const ONE_BEGINS = { kinds: ['new cluster', 'join', 'join'], overlapping: [] }

/** Real servers of Galera that are killed at once and cut off, under writes. */
describe.sequential('outages of Galera', { timeout: 600_000 }, () => {
  const { namespace, release } = suite(NAME, (space) => new Release(space, NAME, GALERA_VALUES))
  const host = new Namespace(`${NAME}-host`)
  const dependent = new Dependent(release, 'galera')
  const subject = GALERA.subject(dependent, null)
  const { load } = subject
  const cables = cablesHealed()
  let clusterId = ''
  let struck = 0

  beforeAll(async () => {
    await host.create('privileged')
    await release.install()
    await dependent.ready(3, 600)
    clusterId = await subject.clusterId()
    await load.start()
  }, 900_000)
  afterAll(() => host.remove(), 300_000)

  /** SIGKILL to the servers of these pods at the same time; resolves when their containers run again. */
  async function kill(ordinals: readonly number[]): Promise<void> {
    const before = await dependent.restarts(3)
    const atMs = Date.now() + STRIKE_IN_MS
    struck += 1
    await Promise.all(
      ordinals.map(async (ordinal) => {
        const { nodeName } = (await dependent.pod(ordinal)).spec
        const env = { POD: `${dependent.name}-${ordinal}`, IN: namespace.name, AT_MS: String(atMs) }
        await host.startOnNode(`kill-${struck}-${ordinal}`, 'kill', nodeName, env, 'Succeeded')
      }),
    )
    await waitFor(
      'their containers are started again',
      async () => {
        const now = await dependent.restarts(3)
        return ordinals.every((ordinal) => now[ordinal] === (before[ordinal] ?? 0) + 1)
      },
      180_000,
    )
  }

  async function isWhole(): Promise<void> {
    await dependent.ready(3, 300)
    await waitFor('it has all members', async () => (await subject.members()).length === 3)
    expect(await subject.clusterId()).toBe(clusterId)
    await load.goesOn()
    for (const ordinal of THREE) expect(await load.lost(ordinal)).toEqual([])
  }

  it('is begun by one start, and joined by one after the other', async () => {
    expect(shapeOf(await galeraStarts(dependent, 3))).toEqual(ONE_BEGINS)
  })

  it('is not begun again by the server that began it, killed right after', async () => {
    const [first] = await galeraStarts(dependent, 3)
    const ordinal = first?.ordinal ?? 0
    await kill([ordinal])
    await isWhole()
    const now = (await galeraStarts(dependent, 3)).find((start) => start.ordinal === ordinal)
    expect(now?.kind).toBe('join')
  })

  it(`is begun by the most advanced when all are killed at once, ${ROUNDS} times`, async () => {
    for (let round = 1; round <= ROUNDS; round += 1) {
      const from = (await load.acknowledged()).length
      await kill(THREE)
      await isWhole()
      const starts = await galeraStarts(dependent, 3)
      expect(shapeOf(starts)).toEqual(ONE_BEGINS)
      const ends = await Promise.all(
        THREE.map(async (ordinal) => {
          const [uuid, seqno] = (
            await dependent.exec(ordinal, 'cat', '/run/quorate/galera-position')
          )
            .trim()
            .split(':')
          return { uuid, seqno: Number(seqno) }
        }),
      )
      expect(ends.map(({ uuid }) => uuid)).toEqual(THREE.map(() => clusterId))
      const furthest = Math.max(...ends.map(({ seqno }) => seqno))
      expect(ends[starts[0]?.ordinal ?? -1]?.seqno).toBe(furthest)
      console.log(
        `${NAME}, all killed, round ${round}: data ends at ${ends.map(({ seqno }) => seqno).join(', ')}; ` +
          `longest time without an acknowledged write ${await load.longestGapMs(from)} ms`,
      )
    }
  })

  it.skipIf(!hasCables)(titleWithCables('takes back a member that was cut off'), async () => {
    const writesOn = await dependent.namespace.json<{ spec: { nodeName: string } }>('pod', load.pod)
    const pods = await dependent.pods()
    const away = pods.find(({ spec }) => spec.nodeName !== writesOn.spec.nodeName)
    if (away === undefined) throw new Error('all members are on one node')
    const [restarts, uids] = [await dependent.restarts(3), await dependent.uids(3)]
    const from = (await load.acknowledged()).length
    const { nodeName } = away.spec
    cables.cut(nodeName)
    await waitFor(
      'the pod is out of service',
      async () => (await readiness(away.metadata.name)) === 'False',
      CUT_WITHIN_MS,
    )
    await load.goesOn(CUT_WITHIN_MS)
    const healedAtMs = Date.now()
    await cables.heal()
    await isWhole()
    console.log(
      `${NAME}, cut off: whole ${Date.now() - healedAtMs} ms after the cable is back; ` +
        `longest time without an acknowledged write ${await load.longestGapMs(from)} ms`,
    )
    // It was alone, or nothing was tested here; and the same process is back.
    const ordinal = dependent.ordinalOf(away.metadata.name)
    expect(await galeraLog(dependent, ordinal)).toMatch(/non-primary/i)
    expect(await dependent.restarts(3)).toEqual(restarts)
    expect(await dependent.uids(3)).toEqual(uids)
  })

  async function readiness(pod: string): Promise<string | undefined> {
    const { status } = await namespace.json<{
      status: { conditions: { type: string; status: string }[] }
    }>('pod', pod)
    return status.conditions.find(({ type }) => type === 'Ready')?.status
  }
})

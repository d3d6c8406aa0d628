import { beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { Release } from './cluster.ts'
import { Dependent } from './dependent.ts'
import { DOUBLE_VALUES, MongodbSubject, provideDouble } from './mongodb-subject.ts'
import { namespaceWithHost } from './suite.ts'

const NAME = 'mongodb-double-sizes'
/** Its session, and the half minute for which a member has to be away. */
const RECONCILED_WITHIN_MS = 120_000
/** Nine members and their agents share the machine of a testbed. */
const GOES_ON_WITHIN_MS = 120_000
const WRITABLE_WITHIN_MS = 30_000

beforeAll(provideDouble, 300_000)

describe.sequential(`${NAME}: sets of every size`, { timeout: 900_000 }, () => {
  const { namespace, host } = namespaceWithHost(NAME)
  const release = new Release(namespace, NAME, DOUBLE_VALUES)
  const dependent = new Dependent(release, 'mongodb')
  const subject = new MongodbSubject(dependent)
  const { load } = subject
  let clusterId = ''

  const upTo = (count: number) => Array.from({ length: count }, (_, ordinal) => ordinal)

  const hasMembers = (count: number) =>
    waitFor(
      `the set has ${count} members`,
      async () => {
        const [members, voters] = [await subject.members(), await subject.voters()]
        if (members.join() === upTo(count).join() && voters.length === Math.min(7, count)) {
          return true
        }
        throw new Error(`it has ${members}, and ${voters} vote`)
      },
      240_000,
    )

  /** Resolves with the number of configurations that it took. */
  async function scale(count: number): Promise<number> {
    const before = await subject.version()
    const from = (await load.acknowledged()).length
    await dependent.scale(count)
    await dependent.ready(count, 600)
    await hasMembers(count)
    await load.goesOn(GOES_ON_WITHIN_MS)
    const gapMs = await load.longestGapMs(from)
    console.log(`${NAME}, to ${count}: longest time without an acknowledged write ${gapMs} ms`)
    expect(gapMs).toBeLessThan(WRITABLE_WITHIN_MS)
    expect(await load.lost()).toEqual([])
    expect(await subject.clusterId()).toBe(clusterId)
    return (await subject.version()) - before
  }

  /** What a test begins with, whatever became of the one before. */
  async function three(): Promise<void> {
    await dependent.scale(3)
    await dependent.ready(3, 600)
    await hasMembers(3)
  }

  it('forms a set of two, both of them Ready, and the notes warn of that', async () => {
    const notes = await release.install('--set', 'mongodb.replicaCount=2')
    expect(notes).toContain('WARNING: two members elect nobody when one is lost')
    await dependent.ready(2, 600)
    await hasMembers(2)
    clusterId = await subject.clusterId()
    await load.start()
  })

  it('goes from two to three, to seven and back to three, a member and a vote at a time', async () => {
    // A member is one configuration, its vote another one; so is each that is taken away.
    expect(await scale(3)).toBeGreaterThanOrEqual(2)
    expect(await scale(7)).toBeGreaterThanOrEqual(8)
    expect(await scale(3)).toBeGreaterThanOrEqual(8)
  })

  it('gives seven of nine a vote, and is left with five, then with one', async () => {
    await scale(9)
    await scale(5)
    expect(await scale(1)).toBeGreaterThanOrEqual(8)
    expect(await subject.voters()).toEqual([0])
    await scale(3)
  })

  it('is the same set with the same members after it was scaled to nothing', async () => {
    await three()
    await dependent.scale(0)
    await waitFor('no pod is left', async () => (await dependent.pods()).length === 0, 240_000)
    await dependent.scale(3)
    await dependent.ready(3, 600)
    await hasMembers(3)
    expect(await subject.clusterId()).toBe(clusterId)
    await load.goesOn(GOES_ON_WITHIN_MS)
    expect(await load.lost()).toEqual([])
  })

  it('takes its first ordinal back without its volume, as a member of the set that there is', async () => {
    await three()
    const [uid] = await dependent.uids(1)
    await namespace.kubectl('delete', 'pvc', `data-${dependent.name}-0`, '--wait=false')
    await namespace.kubectl('delete', 'pod', `${dependent.name}-0`, '--wait=false')
    await waitFor('another pod', async () => (await dependent.uids(1))[0] !== uid, 240_000)
    await dependent.ready(3)
    await hasMembers(3)
    expect(await subject.clusterId()).toBe(clusterId)
    expect((await dependent.onRecord()).engineClusterId).toBe(clusterId)
    await load.goesOn(GOES_ON_WITHIN_MS)
    expect(await load.lost()).toEqual([])
  })

  it('removes a member that was scaled away and ended without a word', async () => {
    await three()
    const pod = `${dependent.name}-2`
    const env = { POD: pod, IN: namespace.name }
    const { nodeName } = (await dependent.pod(2)).spec
    await host.startOnNode('freeze-agent', 'freeze-agent', nodeName, env, 'Succeeded')
    await dependent.scale(2)
    await namespace.kubectl('delete', 'pod', pod, '--grace-period=0', '--force', '--wait=false')
    await waitFor(
      'the set is without it',
      async () => (await subject.configured()).length === 2,
      RECONCILED_WITHIN_MS,
    )
    await hasMembers(2)
    const tombstone = `/members/v1/clusters/${dependent.name}/departed/${pod}`
    expect(await release.zk(0, 'get', tombstone)).toMatch(/its session is gone; by \S+-[01]"/)
    await scale(3)
  })

  it('has the passwords, the key and the data of before when it is installed again', async () => {
    await three()
    const secret = async () =>
      (await namespace.json<{ data: object }>('secret', `${dependent.name}-auth`)).data
    const before = await secret()
    const keys = ['agent-password', 'app-password', 'key', 'root-password']
    expect(Object.keys(before).sort()).toEqual(keys)
    await release.helm('uninstall', release.name, '--wait', '--timeout=6m')
    await waitFor('no pod is left', async () => (await dependent.pods()).length === 0, 360_000)
    await release.install('--set', 'mongodb.replicaCount=3')
    await dependent.ready(3, 600)
    expect(await secret()).toEqual(before)
    await hasMembers(3)
    expect(await subject.clusterId()).toBe(clusterId)
    // By the connection string of before, which the writers have.
    await load.goesOn(GOES_ON_WITHIN_MS)
    expect(await load.lost()).toEqual([])
  })
})

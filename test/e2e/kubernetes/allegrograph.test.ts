import { beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { AgraphPod, DOUBLE_VALUES, provideDouble } from './allegrograph-subject.ts'
import { Release } from './cluster.ts'
import { Dependent } from './dependent.ts'
import { namespaceWithHost } from './suite.ts'

const NAME = 'allegrograph-double'
const SETTLED_WITHIN_MS = 180_000

beforeAll(provideDouble, 300_000)

/** The life of a controlling instance and its copies; every test finds what the one before has left. */
describe.sequential(`${NAME}: from nothing and on`, { timeout: 900_000 }, () => {
  const { namespace, host } = namespaceWithHost(NAME)
  const release = new Release(namespace, NAME, DOUBLE_VALUES)
  const controlling = new Dependent(release, 'allegrograph')
  const copies = new Dependent(release, 'allegrograph-copies')
  const first = new AgraphPod(controlling, 0)
  let clusterId = ''

  /** Exactly one instance of each of so many copies, all of them ready; resolves with their names. */
  async function hasCopies(count: number): Promise<string[]> {
    await copies.ready(count)
    return await waitFor(
      `the controlling instance lists ${count} copies`,
      async () => {
        const names = await first.listed()
        const pods = names.map((name) => copies.ordinalOf(name.replace(/-[^-]+-\d+$/, '')))
        if (pods.join() !== [...Array(count).keys()].join()) throw new Error(`it lists ${names}`)
        return names
      },
      SETTLED_WITHIN_MS,
    )
  }

  async function agree(count: number): Promise<void> {
    const pods = Array.from({ length: count }, (_, ordinal) => new AgraphPod(copies, ordinal))
    await waitFor('all instances have the same', async () => {
      const wanted = (await first.statements()).join()
      const all = await Promise.all(pods.map((pod) => pod.statements()))
      return all.every((each) => each.join() === wanted)
    })
  }

  it('creates one cluster and grows it, from nothing', async () => {
    await release.install()
    await controlling.ready(1, 600)
    await hasCopies(2)
    clusterId = (await controlling.onRecord()).engineClusterId
    expect(await first.asked('createCluster')).toBe(1)
    expect(await controlling.restarts(1)).toEqual([0])
    await first.write('by the controlling instance')
    await new AgraphPod(copies, 1).write('by a copy')
    await waitFor('it has both', async () => (await first.statements()).length === 2)
    await agree(2)
  })

  it('grows and shrinks by the number alone', async () => {
    await copies.scale(4)
    await hasCopies(4)
    await agree(4)
    await copies.scale(1)
    await hasCopies(1)
    await copies.scale(2)
    await hasCopies(2)
  })

  it('takes the process after a kill -9 in, under another name', async () => {
    const before = await hasCopies(2)
    const { nodeName } = (await copies.pod(0)).spec
    const env = { POD: `${copies.name}-0`, IN: namespace.name }
    await host.startOnNode('kill', 'kill', nodeName, env, 'Succeeded')
    await waitFor(
      'its container is started again',
      async () => (await copies.restarts(1))[0] === 1,
      120_000,
    )
    const after = await hasCopies(2)
    expect(after[0]).toMatch(/-2$/)
    expect(after[1]).toBe(before[1])
  })

  it('removes what pods leave that are gone without a word', async () => {
    const before = await hasCopies(2)
    await copies.scale(1)
    const now = ['--grace-period=0', '--force']
    await namespace.kubectl('delete', 'pod', `${copies.name}-0`, `${copies.name}-1`, ...now)
    const [left] = await hasCopies(1)
    expect(before).not.toContain(left)
    await copies.scale(2)
    await hasCopies(2)
    await agree(2)
  })

  it('does nothing when the controlling instance starts again with its data', async () => {
    const [before, restarts, uids] = [
      await hasCopies(2),
      await copies.restarts(2),
      await copies.uids(2),
    ]
    const [uid] = await controlling.uids(1)
    await namespace.kubectl('delete', 'pod', `${controlling.name}-0`)
    await waitFor('there is another', async () => (await controlling.uids(1))[0] !== uid)
    await controlling.ready(1)
    expect(await hasCopies(2)).toEqual(before)
    expect(await copies.restarts(2)).toEqual(restarts)
    expect(await copies.uids(2)).toEqual(uids)
    expect(await first.asked('createCluster')).toBe(1)
    expect((await controlling.onRecord()).engineClusterId).toBe(clusterId)
    await first.write('after the restart')
    await agree(2)
  })

  it('has its data again when it is uninstalled and installed', async () => {
    const before = await first.statements()
    await release.helm('uninstall', release.name, '--wait', '--timeout=6m')
    await waitFor(
      'pods are gone',
      async () => (await controlling.pods()).length + (await copies.pods()).length === 0,
      360_000,
    )
    await release.install()
    await controlling.ready(1, 600)
    await hasCopies(2)
    expect(await first.statements()).toEqual(before)
    expect(await first.asked('createCluster')).toBe(1)
    expect((await controlling.onRecord()).engineClusterId).toBe(clusterId)
    await agree(2)
  })
})

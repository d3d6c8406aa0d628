import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { Namespace, Release } from './cluster.ts'
import { WriteLoad } from './write-load.ts'

const LEADER_GAP_MS_MAX = 3_000

describe.sequential('what a person tries first', { timeout: 420_000 }, () => {
  const namespace = new Namespace('smoke')
  const release = new Release(namespace)
  const load = new WriteLoad(release)

  const explained = () => onTestFailed(async () => console.log(await namespace.report()))

  beforeAll(() => namespace.create(), 240_000)
  afterAll(() => namespace.remove(), 240_000)

  it('installs three servers that become Ready and form one cluster', async () => {
    explained()
    await release.install()
    await release.rolledOut()
    await release.hasMembers(3)
    const views = await Promise.all([0, 1, 2].map((ordinal) => release.view(ordinal)))
    expect(new Set(views.map(({ clusterId }) => clusterId)).size).toBe(1)
    await release.helm('test', release.name)
  })

  it('creates on one server and reads on another', async () => {
    explained()
    expect(await release.zk(0, '-server', 'localhost:2181', 'create', '/hello', 'world')).toBe(
      'Created /hello',
    )
    await release.zk(1, 'sync', '/hello')
    expect(await release.zk(1, 'get', '/hello')).toBe('world')
  })

  it('has the data after the StatefulSet was deleted and applied again', async () => {
    explained()
    const before = await release.view()
    await release.deleteSet()
    await release.install()
    await release.rolledOut()
    expect(await release.zk(2, 'get', '/hello')).toBe('world')
    expect((await release.view()).clusterId).toBe(before.clusterId)
    expect(await release.membership()).toEqual(release.names(3))
  })

  it('answers REST through the client Service', async () => {
    explained()
    await namespace.startProgram(
      'rest',
      'rest-round',
      [
        { name: 'URL', value: `http://${release.name}-cs:8080` },
        {
          name: 'TOKEN',
          valueFrom: { secretKeyRef: { name: `${release.name}-auth`, key: 'http-token' } },
        },
      ],
      'Succeeded',
    )
    const answers = (await namespace.kubectl('logs', 'rest')).split('\n')
    expect(answers).toEqual([
      '401 UNAUTHORISED',
      '200 {"k":"a","v":"1"}',
      '200 {"k":"a","v":"1"}',
      '204 ',
      '404 KEY_NOT_FOUND',
    ])
  })

  it('scales from 3 to 5 to 3 under writes and loses none', async () => {
    explained()
    await load.start()
    for (const count of [5, 3]) {
      const from = (await load.acknowledged()).length
      await namespace.kubectl('scale', release.set, `--replicas=${count}`)
      await release.rolledOut()
      await release.hasMembers(count)
      await load.goesOn()
      const gapMs = await load.longestGapMs(from)
      console.log(`to ${count} servers: longest time without an acknowledged write ${gapMs} ms`)
      expect(gapMs).toBeLessThan(LEADER_GAP_MS_MAX)
      expect(await load.lost(1)).toEqual([])
    }
  })

  it('keeps the membership and every write through a rolling restart', async () => {
    explained()
    const from = (await load.acknowledged()).length
    const before = await release.view()
    await namespace.kubectl('rollout', 'restart', release.set)
    await release.rolledOut(360)
    expect(await release.membership()).toEqual(release.names(3))
    expect(idsOf(await release.view())).toEqual(idsOf(before))
    await load.goesOn()
    const gapMs = await load.longestGapMs(from)
    console.log(`rolling restart: longest time without an acknowledged write ${gapMs} ms`)
    expect(gapMs).toBeLessThan(LEADER_GAP_MS_MAX)
    expect(await load.lost(2)).toEqual([])
    await load.stop()
  })
})

function idsOf({ members }: { readonly members: readonly { readonly id: string }[] }): string[] {
  return members.map(({ id }) => id).sort()
}

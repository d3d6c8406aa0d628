import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { attempt, Namespace, run } from './cluster.ts'
import { Strikes } from './strikes.ts'
import { installedSuite, WRITE_GAP_MS_MAX, writesThrough } from './suite.ts'

describe.sequential('losses that change no membership', { timeout: 420_000 }, () => {
  const { namespace, release, load } = installedSuite('faults')
  const host = new Namespace('faults-host')
  const strikes = new Strikes(host, release)
  const cordoned = new Set<string>()

  beforeAll(async () => {
    await host.create('privileged')
    await load.start()
  }, 300_000)
  afterEach(async () => {
    for (const node of cordoned) await run('kubectl', ['uncordon', node])
    cordoned.clear()
  })
  afterAll(() => host.remove(), 300_000)

  it('replaces a deleted pod, the leader', async () => {
    const before = await release.memberIds()
    const leader = await release.leader()
    const { metadata } = await release.pod(leader)
    const { gapMs, lost } = await writesThrough(load, 'pod of the leader deleted', async () => {
      await release.deletePod(leader)
      await release.replaced(leader, metadata.uid)
    })
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    expect(await release.memberIds()).toEqual(before)
  })

  it('restarts a server frozen with SIGSTOP, in its pod', async () => {
    const before = await release.memberIds()
    const frozen = ((await release.leader()) + 1) % 3
    const pod = await release.pod(frozen)
    const restarts = await release.restarts(frozen)
    const started = performance.now()
    await strikes.now(frozen, 'SIGSTOP')
    await waitFor(
      'the liveness probe restarts it',
      async () => (await release.restarts(frozen)) === restarts + 1,
      240_000,
    )
    console.log(`restarted ${Math.round((performance.now() - started) / 1000)} s after SIGSTOP`)
    await release.rolledOut()
    expect((await release.pod(frozen)).metadata.uid).toBe(pod.metadata.uid)
    await waitFor('it serves again', async () => (await release.view(frozen)).ready, 60_000)
    expect(await release.memberIds(frozen)).toEqual(before)
    await load.goesOn()
    expect(await load.lost(frozen)).toEqual([])
  })

  it('lets a drain take one server, and no second while that is away', async () => {
    const before = await release.memberIds()
    const [first, second] = await release.pods()
    if (first === undefined || second === undefined) throw new Error('there are no two pods')
    const node = first.spec.nodeName
    const drain = async () => {
      cordoned.add(node)
      const only = `--pod-selector=app.kubernetes.io/instance=${release.name}`
      const flags = ['--ignore-daemonsets', '--delete-emptydir-data', only, '--timeout=180s']
      await run('kubectl', ['drain', node, ...flags])
      const { code, stderr } = await evict(second.metadata.name)
      expect(stderr).toContain('disruption budget')
      expect(code).not.toBe(0)
    }
    const { gapMs, lost } = await writesThrough(load, 'node drained', drain, 1)
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    await run('kubectl', ['uncordon', node])
    cordoned.delete(node)
    await release.rolledOut()
    expect(await release.memberIds()).toEqual(before)
  })

  it('takes a server back that has lost its volume, ordinal 0 and its claim', async () => {
    const before = await release.view(1)
    const { metadata } = await release.pod(0)
    await namespace.kubectl('delete', 'pvc', `data-${release.name}-0`, '--wait=false')
    await release.deletePod(0)
    await release.replaced(0, metadata.uid)
    await release.hasMembers(3, 1)
    expect((await release.view(0)).clusterId).toBe(before.clusterId)
    await load.goesOn()
    expect(await load.lost(0)).toEqual([])
  })

  function evict(name: string) {
    const path = `/api/v1/namespaces/${namespace.name}/pods/${name}/eviction`
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } }
    return attempt('kubectl', ['create', '--raw', path, '-f', '-'], JSON.stringify(eviction))
  }
})

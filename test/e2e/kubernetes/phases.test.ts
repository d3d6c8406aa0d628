import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { Namespace } from './cluster.ts'
import { Agents, Strikes } from './strikes.ts'
import { suite, WRITE_GAP_MS_MAX, writesThrough } from './suite.ts'

interface RoleBinding {
  readonly roleRef: object
  readonly subjects: readonly object[]
}

/**
 * SIGKILL to the server alone, its agent untouched, in every phase. An agent that may not read its
 * StatefulSet permits no start from an empty disk: while the RoleBinding is away a server waits, so
 * that the phases of a start begin when the test says so.
 */
describe.sequential('the server killed alone', { timeout: 300_000 }, () => {
  const { namespace, release, load } = suite('phases')
  const host = new Namespace('phases-host')
  const agents = new Agents(release)
  const strikes = new Strikes(host, release)
  let clusterId = ''
  let bootstraps = 0

  beforeAll(async () => {
    await host.create('privileged')
    // The strikes look at the agents' ports from another namespace.
    await release.install(...open, '--set=server.rbac.create=false')
  }, 300_000)
  afterAll(() => host.remove(), 300_000)

  const open = ['--set=server.networkPolicy.enabled=false']

  /** Kills as `kill` does, and expects `times` restarts of that server alone, each with a permit. */
  async function survives(ordinal: number, kill: () => Promise<void>, times = 1): Promise<void> {
    const before = await facts(ordinal)
    await kill()
    await resumes(ordinal, before, times)
  }

  async function facts(ordinal: number) {
    const { metadata } = await agents.pod(ordinal)
    const restarts = await release.restarts(ordinal)
    return { uid: metadata.uid, restarts, permits: await agents.permits(ordinal) }
  }

  async function factsAre(ordinal: number, wanted: object): Promise<boolean> {
    expect(await facts(ordinal)).toEqual(wanted)
    return true
  }

  async function resumes(
    ordinal: number,
    before: Awaited<ReturnType<typeof facts>>,
    times: number,
  ): Promise<void> {
    const { uid, restarts, permits } = before
    const after = { uid, restarts: restarts + times, permits: permits + times }
    await waitFor(
      `server ${ordinal} was restarted with a permit`,
      () => factsAre(ordinal, after),
      120_000,
    )
    await waitFor(
      `server ${ordinal} serves again`,
      async () => (await release.view(ordinal)).ready && (await agents.isPodReady(ordinal)),
      120_000,
    )
    // Nothing is restarted once more, and no permit is given for nothing.
    expect(await facts(ordinal)).toEqual(after)
    expect((await release.view(ordinal)).clusterId).toBe(clusterId)
    expect(await permitsToBootstrap()).toHaveLength(bootstraps)
    await agentsWereNotRestarted()
  }

  async function agentsWereNotRestarted(): Promise<void> {
    for (const ordinal of (await release.pods()).keys()) {
      expect((await agents.container(ordinal)).restartCount, `agent ${ordinal}`).toBe(0)
    }
  }

  async function permitsToBootstrap() {
    const permitted = await agents.events('StartPermitted')
    return permitted.filter(({ message }) => message.startsWith('bootstrap'))
  }

  /** A follower among the first three with the fewest restarts: the kubelet waits longer each time. */
  async function follower(): Promise<number> {
    const leader = await release.leader()
    const others = [0, 1, 2].filter((ordinal) => ordinal !== leader)
    const restarts = await Promise.all(others.map((ordinal) => release.restarts(ordinal)))
    return others[restarts.indexOf(Math.min(...restarts))] ?? 0
  }

  it('while it waits for a permit asks again, and is not started before it has one', async () => {
    for (const ordinal of [0, 1, 2]) await agents.withholdsPermit(ordinal)
    const before = await facts(0)
    await strikes.now(0)
    const after = { ...before, restarts: before.restarts + 1, permits: 0 }
    await waitFor('it is restarted', () => factsAre(0, after))
    await agents.withholdsPermit(0)
    expect(await facts(0)).toEqual(after)
    await agentsWereNotRestarted()
  })

  it('while it starts, founder and joiners, founds one cluster all the same', async () => {
    const all = [0, 1, 2] as const
    const before = await Promise.all(all.map(facts))
    const founderStarts = await strikes.arm(0, 'starting')
    const joinerStarts = await strikes.arm(2, 'starting')
    // A frozen server asks and reads no answer: its permit is given, and dies with it.
    await strikes.now(1, 'SIGSTOP')
    await release.install(...open)
    await waitFor('the permit is in the pipe', async () => (await agents.permits(1)) === 1, 60_000)
    await strikes.now(1)
    await Promise.all([founderStarts(), joinerStarts()])
    await release.rolledOut()
    await release.hasMembers(3)
    for (const ordinal of all) {
      const { uid, restarts = 0 } = before[ordinal] ?? {}
      expect(await facts(ordinal)).toEqual({ uid, restarts: restarts + 1, permits: 2 })
    }
    await agentsWereNotRestarted()
    clusterId = (await release.view(0)).clusterId
    for (const ordinal of all) expect((await release.view(ordinal)).clusterId).toBe(clusterId)
    // The founder was killed before it had founded anything: it, and no other, was told so again.
    const founders = (await permitsToBootstrap()).map(({ pod }) => pod)
    expect(founders).toEqual([`${release.name}-0`, `${release.name}-0`])
    bootstraps = founders.length
    await load.start()
  })

  it('while it joins as a learner becomes the member that it was taken in as', async () => {
    const { roleRef, subjects } = await namespace.json<RoleBinding>('rolebinding', release.name)
    await namespace.kubectl('delete', 'rolebinding', release.name)
    await namespace.kubectl('scale', release.set, '--replicas=4')
    await waitFor('the fourth pod', async () => (await agents.container(3)).ready, 60_000)
    await agents.withholdsPermit(3)
    const before = await facts(3)
    const joins = await strikes.arm(3, 'joining', 'SIGSTOP')
    const { gapMs, lost } = await writesThrough(load, 'learner killed', async () => {
      await namespace.apply({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: release.name },
        roleRef,
        subjects,
      })
      await joins()
      const learner = `${release.name}-3 (learner)`
      await waitFor('it is a learner', async () => (await release.membership()).includes(learner))
      const ids = await release.memberIds()
      await strikes.now(3)
      await waitFor(
        'it was permitted to join, and then to go on',
        async () => (await agents.permits(3)) === 2,
        60_000,
      )
      await resumes(3, { ...before, permits: 1 }, 1)
      await release.hasMembers(4)
      expect(await release.memberIds()).toEqual(ids)
    })
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    const modes = (await agents.events('StartPermitted'))
      .filter(({ pod }) => pod === `${release.name}-3`)
      .map(({ message }) => message.split(':')[0])
    expect(modes.sort()).toEqual(['join', 'resume'])
  })

  it('while it serves as follower resumes', async () => {
    const ids = await release.memberIds()
    const killed = await follower()
    const { gapMs, lost } = await writesThrough(load, 'follower killed', () =>
      survives(killed, () => strikes.now(killed)),
    )
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    expect(await release.memberIds(killed)).toEqual(ids)
  })

  it('while it starts with its data resumes at the next permit', async () => {
    const ids = await release.memberIds()
    const killed = await follower()
    const { gapMs, lost } = await writesThrough(load, 'killed twice', () =>
      survives(
        killed,
        async () => {
          const starts = await strikes.arm(killed, 'starting')
          await strikes.now(killed)
          await starts()
        },
        2,
      ),
    )
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    expect(await release.memberIds(killed)).toEqual(ids)
  })

  it('while it leads resumes', async () => {
    const ids = await release.memberIds()
    const leader = await release.leader()
    const { gapMs, lost } = await writesThrough(load, 'leader killed', () =>
      survives(leader, () => strikes.now(leader)),
    )
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    expect(await release.memberIds(leader)).toEqual(ids)
  })

  it('while it drains before a restart ends with its pod, and is a member in the next', async () => {
    const ids = await release.memberIds()
    // Only a leader has something to do in such a drain that takes its time.
    const leader = await release.leader()
    const { uid } = await facts(leader)
    const drains = await strikes.arm(leader, 'draining')
    const { gapMs, lost } = await writesThrough(load, 'killed while it drains', async () => {
      await release.deletePod(leader)
      await drains()
      await release.replaced(leader, uid)
    })
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    expect(await release.memberIds(leader)).toEqual(ids)
    expect(await facts(leader)).toMatchObject({ restarts: 0, permits: 1 })
    expect(await agents.events('MemberRemoved')).toEqual([])
    expect(await permitsToBootstrap()).toHaveLength(bootstraps)
    await agentsWereNotRestarted()
  })

  it('while it is scaled down, before it is removed, is removed once', async () => {
    const ids = await release.memberIds()
    const last = `${release.name}-3`
    // A leader hands over before it is removed: it is killed before that.
    await release.exec(await release.leader(), 'quorate', 'ensemble', 'transfer', last)
    await waitFor('it leads', async () => (await release.leader()) === 3)
    const drains = await strikes.arm(3, 'draining')
    const { gapMs, lost } = await writesThrough(load, 'killed in a scale-down', async () => {
      await namespace.kubectl('scale', release.set, '--replicas=3')
      await drains()
      await waitFor('its pod is gone', async () => (await release.pods()).length === 3, 120_000)
      await release.hasMembers(3)
    })
    expect(lost).toEqual([])
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    expect(await release.memberIds()).toEqual(ids.filter((id) => !id.startsWith(`${last} `)))
    const removed = await agents.events('MemberRemoved')
    expect(removed.map(({ message }) => message.split(':')[0])).toEqual([last])
    expect(await permitsToBootstrap()).toHaveLength(bootstraps)
    await agentsWereNotRestarted()
  })
})

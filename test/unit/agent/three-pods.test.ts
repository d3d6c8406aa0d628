import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { Release } from './pods.ts'

describe('three pods: real agents and servers, a double of the Kubernetes API', () => {
  let release: Release

  beforeAll(async () => {
    release = await Release.create(3)
    await release.start()
  }, 90_000)

  afterAll(async () => {
    await release.close()
  })

  async function leader(): Promise<number> {
    const { index } = await waitFor(
      'all agree on a leader',
      async () => {
        const views = await Promise.all(release.pods.map((pod) => pod.status()))
        const names = new Set(views.map(({ observation }) => observation.engine.leader))
        const [name] = names
        return names.size === 1 && name ? { index: Number(name.slice(2)) } : null
      },
      20_000,
    )
    return index
  }

  it('starting at once found one cluster, and all publish themselves', async () => {
    const ids = await Promise.all(
      release.pods.map(async (pod) => (await pod.status()).observation.engine.clusterId),
    )
    expect(new Set(ids).size).toBe(1)
    await waitFor(
      'the record is formed',
      () => release.kubernetes.data('q-forming')?.['phase'] === 'formed',
      15_000,
    )
    const bootstraps = release.kubernetes.events.filter(({ message }) =>
      message.startsWith('bootstrap'),
    )
    expect(bootstraps).toHaveLength(1)
    await waitFor(
      'all documents',
      async () => {
        const documents = [...(await release.documents(0)).values()]
        return documents.filter(({ enabled }) => enabled === true).length === 3
      },
      15_000,
    )
  }, 60_000)

  it('hand leadership over before a restart, and keep the membership', async () => {
    const first = await leader()
    const pod = release.pod(first)
    expect(await pod.prestop()).toBe(200)
    expect((await pod.status()).reason).toMatch(/membership kept: the ordinal stays/)
    expect(await leader()).not.toBe(first)
    expect(await release.members(first)).toHaveLength(3)
    await pod.ready()
  }, 60_000)

  it('publish themselves elsewhere while their own server is away', async () => {
    const follower = [0, 1, 2].find((ordinal) => ordinal !== 0) ?? 1
    const pod = release.pod(follower)
    await pod.engine.signal('SIGKILL')
    await waitFor(
      'the document says so',
      async () => {
        const document = (await release.documents(0)).get(pod.name)
        return document?.['enabled'] === false && document['status'] === 'STARTING'
      },
      15_000,
    )
    pod.engine.start()
    await pod.ready()
  }, 60_000)

  it('remove the member that was scaled down, after it has handed over', async () => {
    // The condemned one leads: the hardest of the cases.
    await lead(2)
    release.kubernetes.replicas = 2
    const pod = release.pod(2)
    expect(await pod.prestop()).toBe(200)
    expect((await pod.status()).reason).toBe('drained: out of the configuration')
    await pod.engine.signal('SIGTERM')
    await pod.agent.signal('SIGTERM')
    await waitFor(
      'two members',
      async () => (await release.members(0)).join() === 'q-0,q-1',
      15_000,
    )
    expect((await release.documents(0)).has('q-2')).toBe(false)
  }, 60_000)

  it('take it back as a new member when the set grows again', async () => {
    release.kubernetes.replicas = 3
    const pod = release.pod(2)
    await pod.start()
    await pod.ready()
    await waitFor(
      'three members',
      async () => (await release.members(0)).sort().join() === 'q-0,q-1,q-2',
      15_000,
    )
    const stale = readdirSync(join(pod.directory, 'data')).filter((name) => /^stale-/.test(name))
    expect(stale).toHaveLength(1)
  }, 90_000)

  it('remove a member that went beyond the replicas without a word', async () => {
    await lead(0)
    release.kubernetes.replicas = 2
    const pod = release.pod(2)
    await pod.engine.signal('SIGKILL')
    await pod.agent.signal('SIGKILL')
    await waitFor(
      'two members',
      async () => (await release.members(0)).sort().join() === 'q-0,q-1',
      40_000,
    )
  }, 60_000)

  it('take back with its data whom they removed without its knowing, once the set has grown', async () => {
    const pod = release.pod(2)
    release.kubernetes.replicas = 3
    await pod.start()
    await pod.ready()
    expect(pod.log()).toContain('SERVER_RETIRED')
    await waitFor(
      'three members',
      async () => (await release.members(0)).sort().join() === 'q-0,q-1,q-2',
      15_000,
    )
    const readmitted = release.kubernetes.events.filter(({ reason }) => /Readmitted/.test(reason))
    expect(readmitted).toHaveLength(1)
  }, 90_000)

  async function lead(ordinal: number): Promise<void> {
    const now = await leader()
    if (now === ordinal) return
    const answer = await fetch(
      `http://127.0.0.1:${release.pod(now).ports[2]}/v1/ensemble/transfer`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ to: `q-${ordinal}` }),
      },
    )
    expect(answer.status).toBe(202)
    await waitFor(`q-${ordinal} leads`, async () => (await leader()) === ordinal, 20_000)
  }
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { type PodProcesses, Release } from './pods.ts'

describe('one pod: the real agent and server, a double of the Kubernetes API', () => {
  let release: Release
  let pod: PodProcesses

  beforeAll(async () => {
    release = await Release.create(1)
    pod = release.pod(0)
    await release.start()
  }, 60_000)

  afterAll(async () => {
    await release.close()
  })

  async function documentIs(expected: object): Promise<Record<string, unknown>> {
    return await waitFor(
      `the document is ${JSON.stringify(expected)}`,
      async () => {
        const document = (await release.documents(0)).get('q-0')
        expect(document).toMatchObject(expected)
        return document
      },
      15_000,
    )
  }

  it('founds a cluster under a record, and publishes itself', async () => {
    const record = release.kubernetes.data('q-forming')
    const { clusterId } = (await pod.status()).observation.engine
    expect(record).toMatchObject({ statefulSetUid: 'uid-1', clusterId, phase: 'formed' })
    expect(record?.['bootstrapper']).toMatch(/^[0-9a-f]{16}$/)
    await documentIs({ name: 'q', id: 'q-0', status: 'ALIVE', enabled: true, shard: 0 })
    const permitted = release.kubernetes.events.filter(({ reason }) => reason === 'StartPermitted')
    expect(permitted.map(({ message }) => message)).toEqual([expect.stringMatching(/^bootstrap/)])
  })

  it('answers every probe, fast', async () => {
    for (const path of ['/startupz', '/agentz', '/livez', '/engine/startupz', '/engine/livez']) {
      expect(await pod.probe(path), path).toBe(200)
    }
    const times: number[] = []
    for (let i = 0; i < 200; i += 1) {
      const before = performance.now()
      expect(await pod.probe('/engine/readyz')).toBe(200)
      times.push(performance.now() - before)
    }
    times.sort((left, right) => left - right)
    expect(times[100]).toBeLessThan(50)
    const metrics = await (await fetch(pod.url('/metrics'))).text()
    expect(metrics).toContain('quorate_agent_phase{state="serving"} 1')
    expect(metrics).toContain('quorate_agent_actions_total{action="permit",outcome="done"} 1')
  })

  it('takes preStop with its token only', async () => {
    expect(await pod.prestop('guess')).toBe(401)
    expect(await pod.prestop('')).toBe(401)
    expect((await pod.status()).phase).toBe('serving')
  })

  it('drains, and returns to service when no SIGTERM comes', async () => {
    expect(await pod.prestop()).toBe(200)
    expect(await pod.probe('/engine/readyz')).toBe(503)
    expect(await pod.probe('/agentz')).toBe(200)
    await documentIs({ status: 'STOPPING', enabled: false })
    await pod.ready()
    await documentIs({ status: 'ALIVE', enabled: true })
  })

  it('stays ready without the Kubernetes API, whatever is wrong with it', async () => {
    for (const failure of ['down', 'mute', 403] as const) {
      release.kubernetes.failure = failure
      const before = release.kubernetes.requests.length
      const drained = pod.prestop()
      await waitFor('the API was asked', () => release.kubernetes.requests.length > before)
      expect(await drained).toBe(200)
      expect((await pod.status()).reason).toMatch(/membership kept/)
      await pod.ready()
    }
    release.kubernetes.failure = null
  }, 30_000)

  it('gives an engine that was killed a new permit, decided afresh', async () => {
    await pod.engine.signal('SIGKILL')
    await waitFor('not ready', async () => (await pod.probe('/engine/readyz')) === 503)
    pod.engine.start()
    await pod.ready()
    const permits = release.kubernetes.events.filter(({ reason }) => reason === 'StartPermitted')
    expect(permits.at(-1)?.message).toMatch(/^resume/)
    await documentIs({ status: 'ALIVE' })
  }, 60_000)

  it('is not restarted by the crash of its agent, whose document is replaced', async () => {
    const before = await documentIs({ status: 'ALIVE' })
    const { pid } = pod.engine
    await pod.agent.signal('SIGKILL')
    pod.agent.start()
    await pod.agentUp()
    await pod.ready()
    const incarnation = (before['payload'] as { incarnation: number }).incarnation + 1
    await documentIs({ status: 'ALIVE', payload: { incarnation } })
    expect(pod.engine.pid).toBe(pid)
  }, 60_000)

  it('takes up its data under a StatefulSet that was applied again', async () => {
    const { clusterId } = (await pod.status()).observation.engine
    await pod.engine.signal('SIGKILL')
    release.kubernetes.uid = 'uid-2'
    await pod.agent.signal('SIGKILL')
    await pod.start()
    await pod.ready()
    await waitFor('the new record', () => {
      const record = release.kubernetes.data('q-forming')
      return record?.['statefulSetUid'] === 'uid-2' && record['clusterId'] === clusterId
    })
  }, 60_000)

  it('ends with SIGTERM: the session closes, and the document with it', async () => {
    await pod.prestop()
    expect(await pod.agent.signal('SIGTERM')).toBe(0)
    expect((await release.documents(0)).has('q-0')).toBe(false)
    await pod.engine.signal('SIGTERM')
  }, 30_000)
})

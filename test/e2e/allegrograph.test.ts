import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { AllegrographPods, CONTROLLING, PASSWORD } from '../allegrograph/pods.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'

const COPIES = ['q-copies-0', 'q-copies-1']

/** Agents of a controlling instance and its copies, beside doubles of AllegroGraph, on three servers of Quorate. */
describe('the agents of AllegroGraph, beside doubles of it', () => {
  let servers: ServerEnsemble
  let pods: AllegrographPods

  beforeAll(async () => {
    servers = await quorateEnsemble({ servers: 3 })
    await servers.start()
    const hosts = servers.clientPorts.map((port) => `127.0.0.1:${port}`)
    pods = await AllegrographPods.at(hosts, COPIES.length)
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(pods.logs())
  })
  afterAll(async () => {
    await pods?.stop()
    await servers.stop()
  })

  const podsListed = async () =>
    (await pods.listed()).map((name) => name.replace(/-[^-]+-\d+$/, ''))
  const requestsOf = (name: string, verb: string) => pods.requests(name, verb)

  /** As the tree has it; an agent that has just started has not read it yet. */
  async function clusterOnRecord(): Promise<string> {
    return await waitFor('the cluster is on record', async () => {
      const { observation } = await pods.status(CONTROLLING)
      return observation.cluster?.initialized?.engineClusterId
    })
  }

  const written: string[] = []

  async function write(name: string, statement: string): Promise<void> {
    await pods.write(name, statement)
    written.push(statement)
  }

  /** Every instance has all that was written, and nothing else. */
  async function agree(): Promise<void> {
    await waitFor('all instances have what was written', async () => {
      const all = await Promise.all([CONTROLLING, ...COPIES].map((name) => pods.statements(name)))
      return all.every((each) => each.sort().join() === [...written].sort().join())
    })
  }

  it('creates the cluster once, and grows it by one copy after the other', async () => {
    pods.start(CONTROLLING)
    for (const name of COPIES) pods.start(name)
    await pods.ready(CONTROLLING, ...COPIES)
    expect(await podsListed()).toEqual(COPIES)
    expect(requestsOf(CONTROLLING, 'createCluster')).toHaveLength(1)
    // The double refuses a second growth beside one on its way: none was asked for.
    expect(requestsOf(CONTROLLING, 'growCluster')).toHaveLength(2)
    await write(CONTROLLING, 'first')
    await write('q-copies-1', 'second')
    await agree()
  })

  it('removes a copy at its stop, and takes in the pod that follows it under another name', async () => {
    const before = await pods.listed()
    await pods.terminate('q-copies-1')
    expect(await podsListed()).toEqual(['q-copies-0'])
    pods.start('q-copies-1')
    await pods.ready('q-copies-1')
    const after = await pods.listed()
    expect(after).toHaveLength(2)
    expect(before).not.toContain(after[1])
    await agree()
  })

  it('removes what a killed process left before the next one starts in its pod', async () => {
    const before = await pods.listed()
    await pods.signalEngine('q-copies-0', 'SIGKILL')
    await waitFor('the agent has seen it', async () => !(await pods.isReady('q-copies-0')))
    pods.startEngine('q-copies-0')
    await pods.ready('q-copies-0')
    const after = await pods.listed()
    expect(after).toHaveLength(2)
    expect(after[0]).toMatch(/-2$/)
    expect(before).not.toContain(after[0])
    expect(after[1]).toBe(before[1])
  })

  it('removes what is left of a pod that is gone without a word', async () => {
    await pods.lose('q-copies-1')
    expect(await podsListed()).toEqual(COPIES)
    await waitFor('the ghost is gone', async () => (await podsListed()).length === 1)
    expect(await podsListed()).toEqual(['q-copies-0'])
  })

  it('goes on when agents are killed while a copy joins', async () => {
    pods.start('q-copies-1')
    await waitFor('it is listed', async () => (await podsListed()).length === 2)
    await pods.killAgent('q-copies-1')
    await pods.killAgent(CONTROLLING)
    pods.startAgent('q-copies-1')
    pods.startAgent(CONTROLLING)
    await pods.ready(CONTROLLING, ...COPIES)
    expect(await podsListed()).toEqual(COPIES)
    await agree()
  })

  it('does nothing when the controlling instance starts again with its data', async () => {
    const known = await clusterOnRecord()
    const before = await pods.listed()
    await pods.signalEngine(CONTROLLING, 'SIGKILL')
    await write('q-copies-0', 'while it is away')
    await waitFor('its agent has seen it', async () => !(await pods.isReady(CONTROLLING)))
    expect(await Promise.all(COPIES.map((name) => pods.isReady(name)))).toEqual([true, true])
    pods.startEngine(CONTROLLING)
    await pods.ready(CONTROLLING, ...COPIES)
    expect(await pods.listed()).toEqual(before)
    await agree()
    expect(await clusterOnRecord()).toBe(known)
    expect(requestsOf(CONTROLLING, 'createCluster')).toHaveLength(1)
  })

  it('shows the password nowhere', async () => {
    const texts = [pods.logs(), JSON.stringify(await pods.status('q-copies-0'))]
    for (const form of [PASSWORD, encodeURIComponent(PASSWORD)]) {
      for (const text of texts) expect(text).not.toContain(form)
    }
  })
})

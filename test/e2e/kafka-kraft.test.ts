import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { describeQuorum } from '../../agent/engines/kafka/kafka-quorum-requests.ts'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { KafkaRelease } from '../kafka/kafka-pods.ts'
import { createTopic } from '../kafka/topics.ts'
import { javaTool } from '../support/java.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const tool = javaTool('kafka')
const STARTS_WITHIN_MS = 100_000
const WITHIN_MS = 60_000

/** Real nodes, agents and server; the Kubernetes API is a double, and the test is the kubelet. */
describe.skipIf(tool.found === null)(titleOf('Kafka with KRaft under its agents', tool), () => {
  let ensemble: ServerEnsemble
  let release: KafkaRelease

  beforeAll(async () => {
    if (tool.found === null) return
    ensemble = await quorateEnsemble({ servers: 1 })
    await ensemble.start()
    const servers = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`)
    release = await KafkaRelease.create(tool.found, servers, 3, { form: 'combined' })
    await release.start()
    await release.cluster.metadata([])
  }, STARTS_WITHIN_MS)

  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(release.logs())
  })

  afterAll(async () => {
    await release?.close()
    await ensemble?.stop()
  })

  async function quorum() {
    const { brokers } = await release.cluster.metadata([])
    return await release.cluster.ask(brokers[0]?.id ?? -1, describeQuorum)
  }

  async function votersAre(...ids: readonly number[]): Promise<void> {
    await waitFor(
      `${ids} vote`,
      async () => {
        const found = (await quorum()).voters.map(({ id }) => id).sort()
        if (found.join() === ids.join()) return true
        throw new Error(found.join())
      },
      WITHIN_MS,
    )
  }

  it('forms one cluster, whose nodes get their votes one after the other', async () => {
    await votersAre(0, 1, 2)
    const client = await ZkClient.connect([`127.0.0.1:${ensemble.clientPorts[0]}`], 6_000)
    const { data } = await client.get('/members/v1/clusters/k/initialized', false)
    await client.close()
    const { engineClusterId, by } = JSON.parse(Buffer.from(data ?? []).toString())
    expect(by).toBe('k-0')
    expect((await release.cluster.metadata([])).clusterId).toBe(engineClusterId)
    const copies = [
      [0, 1],
      [1, 0],
    ]
    await release.cluster.askController(createTopic({ name: 'two', minInSync: 1, copies }))
    await release.inSync(2)
  })

  it('has another controller when the one that leads is killed, which comes back as it was', async () => {
    const { leaderId, epoch, voters } = await quorum()
    const pod = release.pod(leaderId)
    await pod.broker.signal('SIGKILL')
    await waitFor('another leads', async () => {
      const now = await quorum()
      return now.leaderId >= 0 && now.leaderId !== leaderId && now.epoch > epoch
    })
    pod.broker.start()
    await pod.ready()
    const directories = (all: typeof voters) => all.map(({ directoryId }) => directoryId).sort()
    expect(directories((await quorum()).voters)).toEqual(directories(voters))
    await release.inSync(2)
  })

  it('takes a node in again that has lost its disk, and the vote of that disk away', async () => {
    const before = await quorum()
    const pod = release.pod(1)
    await pod.kill()
    pod.loseDisk()
    await pod.start()
    await pod.ready()
    const vote = (of: typeof before) => of.voters.find(({ id }) => id === 1)?.directoryId
    await waitFor(
      'the new disk votes',
      async () => {
        const now = await quorum()
        return now.voters.length === 3 && vote(now) !== vote(before)
      },
      WITHIN_MS,
    )
    await release.inSync(2)
  })

  it('takes a node out and forgets it when the set is made smaller, and in again', async () => {
    const pod = release.pod(2)
    release.kubernetes.replicas = 2
    expect(await pod.prestop()).toBe(200)
    await votersAre(0, 1)
    await pod.stop()
    await waitFor(
      'its broker is forgotten',
      async () => {
        const seen = await Promise.all([0, 1].map((ordinal) => release.pod(ordinal).status()))
        return seen.some(({ observation }) =>
          observation.engine.unregistered?.some((name) => name.startsWith('k-2@')),
        )
      },
      WITHIN_MS,
    )
    release.kubernetes.replicas = 3
    await pod.start()
    await pod.ready()
    await votersAre(0, 1, 2)
  })
})

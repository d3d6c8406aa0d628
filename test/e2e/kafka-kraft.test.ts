import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { KafkaRelease } from '../kafka/kafka-pods.ts'
import { disksOf, KafkaQuorum } from '../kafka/quorum.ts'
import { createTopic } from '../kafka/topics.ts'
import { javaTool } from '../support/java.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const tool = javaTool('kafka-4')
const STARTS_WITHIN_MS = 100_000
const WITHIN_MS = 60_000

/** Real nodes, agents and server; the Kubernetes API is a double, and the test is the kubelet. */
describe.skipIf(tool.found === null)(titleOf('Kafka with KRaft under its agents', tool), () => {
  let ensemble: ServerEnsemble
  let release: KafkaRelease
  let quorum: KafkaQuorum

  beforeAll(async () => {
    if (tool.found === null) return
    ensemble = await quorateEnsemble({ servers: 1 })
    await ensemble.start()
    const servers = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`)
    release = await KafkaRelease.create(tool.found, servers, 3, { form: 'combined' })
    await release.start()
    quorum = new KafkaQuorum(release.cluster)
  }, STARTS_WITHIN_MS)

  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(release.logs())
  })

  afterAll(async () => {
    await release?.close()
    await ensemble?.stop()
  })

  it('forms one cluster, whose nodes get their votes one after the other', async () => {
    await quorum.votersAre(0, 1, 2)
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
    const before = await quorum.view()
    const pod = release.pod(before.leaderId)
    await pod.broker.signal('SIGKILL')
    await quorum.isLedAnew(before)
    pod.broker.start()
    await pod.ready()
    expect(disksOf(await quorum.view())).toEqual(disksOf(before))
    await release.inSync(2)
  })

  it('takes a node in again that has lost its disk, and the vote of that disk away', async () => {
    const before = await quorum.view()
    const pod = release.pod(1)
    await pod.kill()
    pod.loseDisk()
    await pod.start()
    await pod.ready()
    await quorum.votesByAnotherDisk(1, before)
    await release.inSync(2)
  })

  it('takes a node out and forgets it when the set is made smaller, and in again', async () => {
    const pod = release.pod(2)
    release.kubernetes.replicas = 2
    expect(await pod.prestop()).toBe(200)
    await quorum.votersAre(0, 1)
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
    await quorum.votersAre(0, 1, 2)
  })
})

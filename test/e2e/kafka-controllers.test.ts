import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CONTROLLERS_SET, FIRST_CONTROLLER_ID } from '../kafka/kafka-files.ts'
import { KafkaRelease } from '../kafka/kafka-pods.ts'
import { disksOf, KafkaQuorum } from '../kafka/quorum.ts'
import { TopicWrites } from '../kafka/topic-writes.ts'
import { javaTool } from '../support/java.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const tool = javaTool('kafka-4')
const STARTS_WITHIN_MS = 240_000

/** Real nodes, agents and server; the Kubernetes API is a double, and the test is the kubelet. */
describe.skipIf(tool.found === null)(
  titleOf('Kafka whose controllers are a set of their own', tool),
  () => {
    let ensemble: ServerEnsemble
    let controllers: KafkaRelease
    let brokers: KafkaRelease
    let quorum: KafkaQuorum

    beforeAll(async () => {
      if (tool.found === null) return
      ensemble = await quorateEnsemble({ servers: 1 })
      await ensemble.start()
      const servers = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`)
      controllers = await KafkaRelease.create(tool.found, servers, 3, {
        form: 'controllers',
        set: CONTROLLERS_SET,
      })
      brokers = await KafkaRelease.create(tool.found, servers, 2, {
        form: 'brokers',
        controllers: controllers.controllers,
      })
      await Promise.all([controllers.start(), brokers.start()])
      quorum = new KafkaQuorum(brokers.cluster, FIRST_CONTROLLER_ID)
    }, STARTS_WITHIN_MS)

    afterEach(({ task }) => {
      if (task.result?.state === 'fail') console.error(controllers.logs(), brokers.logs())
    })

    afterAll(async () => {
      await brokers?.close()
      await controllers?.close()
      await ensemble?.stop()
    })

    it('forms one cluster with all at once, whose controllers all vote, and no broker does', async () => {
      await quorum.votersAre(0, 1, 2)
      // What each agent last saw: a member that was ready before the last came learns of it a turn later.
      await waitFor('every agent tells of the one cluster, a broker of both brokers', async () => {
        const { clusterId, brokers: running } = await brokers.cluster.metadata([])
        expect(running.map(({ id }) => id).sort()).toEqual([0, 1])
        const told = await Promise.all(
          [...controllers.pods, ...brokers.pods].map(
            async (pod) => (await pod.status()).observation,
          ),
        )
        expect(told.map(({ engine }) => engine.clusterId)).toEqual(told.map(() => clusterId))
        // Of whoever votes the brokers' agents know nothing: it is none of their set.
        const members = told
          .slice(3)
          .map(({ engine }) => engine.members.map(({ name }) => name).sort())
        expect(members).toEqual([
          ['k-0', 'k-1'],
          ['k-0', 'k-1'],
        ])
        return true
      })
    })

    it('loses nothing that was acknowledged when the controller that leads is killed', async () => {
      const before = await quorum.view()
      const pod = controllers.pod(quorum.ordinalOf(before.leaderId))
      const writes = new TopicWrites(brokers.cluster)
      await writes.goesOn(3)
      await pod.broker.signal('SIGKILL')
      await quorum.isLedAnew(before)
      await writes.goesOn(3)
      pod.broker.start()
      await pod.ready()
      await writes.goesOn(3)
      expect(await writes.lost()).toEqual([])
      expect(disksOf(await quorum.view())).toEqual(disksOf(before))
    })

    it('lets no controller stop without which the others are no majority', async () => {
      const [first, second] = [controllers.pod(0), controllers.pod(1)]
      await second.broker.signal('SIGKILL')
      const stopped = first.prestop()
      await first.says(/^2 of 3 controllers have to stay, and 1 others are in step$/)
      second.broker.start()
      await second.ready()
      expect(await stopped).toBe(200)
      // Nobody came to stop it, so it serves on.
      await first.ready()
    })

    it('takes a controller in again that has lost its disk, and the vote of that disk away', async () => {
      const before = await quorum.view()
      const pod = controllers.pod(1)
      await pod.kill()
      pod.loseDisk()
      await pod.start()
      await pod.ready()
      await quorum.votesByAnotherDisk(1, before)
    })

    it('takes a controller out when the set is made smaller, and in again', async () => {
      const pod = controllers.pod(2)
      controllers.kubernetes.replicas = 2
      expect(await pod.prestop()).toBe(200)
      await quorum.votersAre(0, 1)
      await pod.stop()
      controllers.kubernetes.replicas = 3
      await pod.start()
      await pod.ready()
      await quorum.votersAre(0, 1, 2)
    })

    it('refuses a broker whose disk is of another cluster', async () => {
      const pod = brokers.pod(1)
      await pod.stop()
      pod.changeCluster('AAAAAAAAAAAAAAAAAAAAAA')
      await pod.start()
      const { clusterId } = await brokers.cluster.metadata([])
      const says = `the disk holds cluster A{22}, the controllers are of ${clusterId}`
      await pod.says(new RegExp(`^refuses to start: ${says}$`))
      await waitFor('an event says so, too', () =>
        brokers.kubernetes.events.some(({ reason }) => reason === 'StartRefused'),
      )
    })
  },
)

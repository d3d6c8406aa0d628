import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { describeConfigs, TOPIC } from '../../agent/engines/kafka/kafka-requests.ts'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { ROOT } from '../kafka/kafka-files.ts'
import { KafkaRelease } from '../kafka/kafka-pods.ts'
import { createTopic, deleteTopic } from '../kafka/topics.ts'
import { javaTool } from '../support/java.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const tool = javaTool('kafka')
const bundle = fileURLToPath(new URL('../../dist/quorate.js', import.meta.url))
const STARTS_WITHIN_MS = 100_000
const THROTTLED = 'follower.replication.throttled.replicas'

/** Real servers, brokers and agents; the Kubernetes API is a double, and the test is the kubelet. */
describe.skipIf(tool.found === null)(titleOf('Kafka under its agents', tool), () => {
  let ensemble: ServerEnsemble
  let release: KafkaRelease

  beforeAll(async () => {
    if (tool.found === null) return
    ensemble = await quorateEnsemble({ servers: 3 })
    await ensemble.start()
    const servers = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`)
    release = await KafkaRelease.create(tool.found, servers, 3)
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

  async function isRegistered(id: number): Promise<boolean> {
    const places = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`)
    const client = await ZkClient.connect(places, 6_000)
    try {
      return (await client.children(`${ROOT}/brokers/ids`, false)).children.includes(String(id))
    } finally {
      await client.close()
    }
  }

  it('starts a killed broker when its registration is gone, and not before', async () => {
    const three = {
      name: 'three',
      minInSync: 2,
      copies: [
        [0, 1, 2],
        [1, 2, 0],
        [2, 0, 1],
      ],
    }
    await release.cluster.askController(createTopic(three))
    await release.inSync(3)
    const pod = release.pod(0)
    await pod.broker.signal('SIGKILL')
    pod.broker.start()
    await pod.says(/broker 0 is registered at 127\.0\.0\.1 until/)
    expect(await isRegistered(0)).toBe(true)
    // One process from here to the end: none that met its own registration and ended.
    await pod.ready()
    expect((await pod.status()).observation.engine.survey?.behind).toBe(0)
    await release.inSync(3)
  })

  it('stops no broker that writes need, until another is back', async () => {
    const [stays, returns] = [release.pod(0), release.pod(1)]
    await returns.broker.signal('SIGKILL')
    await release.inSync(2)
    let answer = 0
    const stopped = stays.prestop().then((status) => {
      answer = status
    })
    await stays.says(/^3 partitions would refuse writes without it: three-0 has 2 copies in sync/)
    expect(answer).toBe(0)
    returns.broker.start()
    await stopped
    expect(answer).toBe(200)
    const { survey } = (await stays.status()).observation.engine
    expect(survey).toMatchObject({ copies: 3, atRisk: 0 })
    await release.inSync(3)
    // No SIGTERM came: the broker is in service again.
    await stays.ready()
  })

  it('holds a scale-down until nothing is left on the broker', async () => {
    await release.cluster.askController(deleteTopic('three'))
    const two = {
      name: 'two',
      minInSync: 1,
      copies: [
        [2, 0],
        [1, 2],
        [0, 1],
        [2, 1],
      ],
    }
    await release.cluster.askController(createTopic(two))
    await release.inSync(2)
    release.kubernetes.replicas = 2
    const pod = release.pod(2)
    let answer = 0
    const stopped = pod.prestop().then((status) => {
      answer = status
    })
    await pod.says(/^refuses to leave: 3 partitions have copies here; `quorate kafka drain 2`/)
    expect(answer).toBe(0)
    await waitFor('an event says so, too', () =>
      release.kubernetes.events.some(({ reason, message }) => {
        return reason === 'LeaveRefused' && message.startsWith('refuses to leave: 3 partitions')
      }),
    )
    const told = await run('kafka', 'drain', '2', '--bootstrap', `127.0.0.1:${pod.port}`)
    expect(told).toMatch(/3 partitions to go[\s\S]*nothing is left on 2/)
    await stopped
    expect(answer).toBe(200)
    const { partitions } = await release.cluster.metadata(null)
    expect(partitions.flatMap(({ replicas }) => replicas)).not.toContain(2)
    expect(partitions.map(({ replicas }) => replicas.length)).toEqual([2, 2, 2, 2])
    const configs = await release.cluster.askAny(describeConfigs(TOPIC, ['two'], [THROTTLED]))
    expect(configs.get('two')?.[THROTTLED]).toBe('')
    await pod.broker.signal('SIGTERM')
    await waitFor('broker 2 is gone', async () => !(await isRegistered(2)))
    await expect(
      run('kafka', 'drain', '1', '--bootstrap', `127.0.0.1:${release.pod(0).port}`),
    ).rejects.toThrow('two has 2 copies, and 1 brokers stay')
  })
})

/** One command of the built CLI: its output; rejects with it when the command failed. */
async function run(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [bundle, ...args])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(output)
  return output
}

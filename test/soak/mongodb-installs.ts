import { ZkClient } from '../../server/cli/zk-client.ts'
import { reservePorts } from '../support/ports.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'
import { MongodbPod } from '../unit/agent/mongodb/pods.ts'
import { Servers } from '../unit/agent/mongodb/servers.ts'

const PODS = 3
const WHOLE_WITHIN_MS = 60_000

/**
 * First installs of three members: the real agents, a server of the ensemble and doubles of mongod, all of them
 * started at once. Each has to end as exactly one replica set, initiated once, with three votes, on record in
 * the tree.
 */
export async function mongodbInstalls(installs: number) {
  const failures: { readonly install: number; readonly message: string }[] = []
  const times: number[] = []
  for (let install = 1; install <= installs; install += 1) {
    const startedAt = performance.now()
    try {
      await oneInstall()
      times.push(Math.round(performance.now() - startedAt))
    } catch (error) {
      failures.push({ install, message: error instanceof Error ? error.message : String(error) })
    }
    console.log(`${install} installs, ${failures.length} failed`)
  }
  times.sort((one, other) => one - other)
  const formed = { medianMs: times[times.length >> 1] ?? null, maxMs: times.at(-1) ?? null }
  const engine = 'a double of mongod'
  return { passed: failures.length === 0, engine, installs, formed, failures }
}

async function oneInstall(): Promise<void> {
  const kubernetes = new FakeKubernetes(PODS)
  const tree = await quorateEnsemble({ servers: 1, tickMs: 1_000 })
  const [servers, agentPorts] = [await Servers.create(PODS), await reservePorts(PODS)]
  await kubernetes.listen()
  const [treePort = 0] = tree.clientPorts
  const kubernetesUrl = kubernetes.url
  const pods = agentPorts.map(
    (agentPort, ordinal) =>
      new MongodbPod({ servers, ordinal, agentPort, treePort, kubernetesUrl }),
  )
  try {
    await Promise.all([...pods.map((pod) => pod.start()), tree.start()])
    await Promise.all(pods.map((pod) => pod.ready()))
    await waitFor('one set', () => isOneSet(servers, tree), WHOLE_WITHIN_MS)
    const formed = kubernetes.events.filter(({ reason }) => reason === 'ClusterFormed').length
    if (formed !== 1) throw new Error(`${formed} pods set out to form the set`)
  } finally {
    await Promise.all(pods.map((pod) => pod.end()))
    await servers.close()
    kubernetes.close()
    await tree.stop()
  }
}

async function isOneSet(servers: Servers, tree: ServerEnsemble): Promise<boolean> {
  const commands = servers.ports.flatMap((_, index) => servers.double(index).commands)
  const initiated = commands.filter((name) => name === 'replSetInitiate').length
  if (initiated !== 1) throw new Error(`initiated ${initiated} times`)
  const configs = await Promise.all(
    servers.ports.map(async (_, index) => {
      const client = servers.client(index)
      const { config } = await client.asAgent({ replSetGetConfig: 1 })
      client.close()
      return config
    }),
  )
  const ids = new Set(configs.map(({ settings }) => String(settings.replicaSetId)))
  const record = await initialized(tree)
  if (ids.size !== 1 || !ids.has(record)) throw new Error(`${[...ids]}; on record is ${record}`)
  return configs.every(({ members }) => {
    const voters: readonly { readonly votes: number }[] = members
    return voters.length === PODS && voters.every(({ votes }) => votes === 1)
  })
}

async function initialized(tree: ServerEnsemble): Promise<string> {
  const client = await ZkClient.connect([`127.0.0.1:${tree.clientPorts[0]}`], 4_000)
  try {
    const { data } = await client.get('/members/v1/clusters/q/initialized', false)
    return JSON.parse(Buffer.from(data ?? []).toString()).engineClusterId
  } finally {
    await client.close()
  }
}

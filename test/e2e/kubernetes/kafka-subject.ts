import { waitFor } from '../../support/wait-for.ts'
import { AcknowledgedWrites } from './acknowledged-writes.ts'
import { Dependent } from './dependent.ts'
import type { Subject } from './dependent-story.ts'
import { type KafkaImage, KafkaTools } from './kafka-tools.ts'

const TOPIC = 'story'
const WRITES_PER_SECOND = 40
const REASSIGNED_WITHIN_MS = 120_000
const READ_WITHIN_MS = 240_000
/** Where a server has its certificates. */
const CERTIFICATES = '/etc/quorate-tls'

interface KafkaSubjectOptions extends KafkaImage {
  readonly mode: 'kraft' | 'zookeeper'
  /** Where the partitions of the story have their copies, as broker ids. */
  readonly copies: readonly (readonly number[])[]
}

/** A producer that writes to every partition in turn, and waits for all copies in sync. */
class KafkaWrites extends AcknowledgedWrites {
  readonly #tools: KafkaTools
  readonly #copies: KafkaSubjectOptions['copies']

  constructor(dependent: Dependent, tools: KafkaTools, copies: KafkaSubjectOptions['copies']) {
    super(dependent.namespace, 'kafka-writes')
    this.#tools = tools
    this.#copies = copies
  }

  async start(): Promise<void> {
    const most = Math.max(...this.#copies.map((ids) => ids.length))
    const count = `--partitions ${this.#copies.length} --replication-factor ${most}`
    const config = '--config min.insync.replicas=2'
    await this.#tools.kafka('kafka-topics', `--create --topic ${TOPIC} ${count} ${config}`)
    // A topic can be made with as many copies of each partition alone.
    await place(this.#tools, this.#copies)
    await this.#tools.start(this.pod, producer(this.#tools.bootstrap))
    await this.goesOn(60_000)
  }

  protected async present(): Promise<ReadonlySet<string>> {
    const script = reader(this.#tools.bootstrap, this.#copies.length)
    const read = await waitFor(
      'the topic is read',
      () => this.#tools.script(script),
      READ_WITHIN_MS,
    )
    return new Set(read.split('\n'))
  }
}

/**
 * The tool gives up at the first failure unless it is told otherwise. A batch is small, since a partition is
 * written to until a batch is full. Its lines are made short: a log that is rotated cannot be read.
 */
const producer = (bootstrap: string) => `
{ cat $CLIENT; printf '%s\\n' retries=2147483647 delivery.timeout.ms=2147483647 max.block.ms=2147483647 \\
  batch.size=200; } > /tmp/producer.properties
/opt/kafka/bin/kafka-verifiable-producer.sh --bootstrap-server ${bootstrap} --topic ${TOPIC} --acks -1 \\
  --throughput ${WRITES_PER_SECOND} --producer.config /tmp/producer.properties |
while read -r line; do
  if [[ $line =~ '"producer_send_success"' && $line =~ '"timestamp":'([0-9]+) ]]; then
    at=\${BASH_REMATCH[1]}
    [[ $line =~ '"value":"'([0-9]+) ]] && echo "acknowledged \${BASH_REMATCH[1]} $at"
  else
    echo "$line"
  fi
done`

/**
 * Every value up to where each partition ended when it began, of all partitions: where one is not told, it fails.
 * The consumer ends when nobody reads it.
 */
const reader = (bootstrap: string, partitions: number) => `
ends=$(/opt/kafka/bin/kafka-get-offsets.sh --bootstrap-server ${bootstrap} --command-config $CLIENT \\
  --topic ${TOPIC} | tr '\\n' ' ')
timeout 120 /opt/kafka/bin/kafka-console-consumer.sh --bootstrap-server ${bootstrap} --topic ${TOPIC} \\
  --consumer.config $CLIENT --from-beginning --timeout-ms 60000 \\
  --property print.partition=true --property print.offset=true 2> /tmp/reader.log |
awk -v ends="$ends" '
  BEGIN { count = split(ends, all, " "); if (count != ${partitions}) exit
    for (n = 1; n <= count; n++) {
      split(all[n], end, ":"); if (end[3] > 0) { ends_at[end[2]] = end[3] + 0; left++ } } }
  # The tool warns of its own options among them.
  /^Partition:/ { split($1, partition, ":"); split($2, offset, ":"); last = ends_at[partition[2]] - 1
    if (offset[2] <= last) print $3
    if (offset[2] >= last && !(partition[2] in whole)) { whole[partition[2]]; left-- }
    if (left == 0) exit }
  END { if (count != ${partitions} || left != 0) { print "of " ends, left " are not whole"; exit 1 } }'`

/** The node that leads the controllers. */
async function leaderOf(tools: KafkaTools): Promise<number> {
  const status = await tools.kafka('kafka-metadata-quorum', 'describe --status')
  return Number(/^LeaderId:\s+(\d+)$/m.exec(status)?.[1])
}

async function votersOf(tools: KafkaTools): Promise<number[]> {
  const status = await tools.kafka('kafka-metadata-quorum', 'describe --status')
  const line = /^CurrentVoters:\s+(.*)$/m.exec(status)?.[1] ?? ''
  return [...line.matchAll(/"id": (\d+)/g)].map(([, id]) => Number(id))
}

/** With KRaft: who is registered, in service or not: one that left has to be forgotten, too. */
async function registeredOf(tools: KafkaTools): Promise<ReadonlyMap<number, boolean>> {
  const listed = await tools.cluster('list-endpoints', '--include-fenced-brokers')
  const rows = listed.matchAll(/^(\d+)\s.*\s(fenced|unfenced)\s+broker\s*$/gm)
  return new Map([...rows].map(([, id, state]) => [Number(id), state === 'unfenced']))
}

async function clusterIdOf(tools: KafkaTools): Promise<string> {
  const told = await tools.cluster('cluster-id')
  const [, id = ''] = /^Cluster ID: (\S+)$/m.exec(told) ?? []
  return id
}

/**
 * What a story asks of controllers that are a set of their own: they vote, and nobody else. It goes on while brokers
 * write, which are asked for it all.
 */
export function controllersSubject(
  { release }: Dependent,
  { firstId, ...options }: Omit<KafkaSubjectOptions, 'mode'> & { readonly firstId: number },
): Subject {
  const brokers = new Dependent(release, 'kafka')
  const tools = new KafkaTools(brokers, options)
  const leader = async () => (await leaderOf(tools)) - firstId
  return {
    load: new KafkaWrites(brokers, tools, options.copies),
    leader,
    clusterId: () => clusterIdOf(tools),
    async members() {
      const serving = [...(await registeredOf(tools))].filter(([, serves]) => serves)
      const ids = sorted(serving.map(([id]) => id)).join()
      if (ids !== '0,1,2') throw new Error(`the brokers that serve are ${ids}`)
      return sorted((await votersOf(tools)).map((id) => id - firstId))
    },
    async spare() {
      return (await leader()) === 0 ? 1 : 0
    },
  }
}

/** What a story asks of Kafka, by its own tools. */
export function kafkaSubject(dependent: Dependent, options: KafkaSubjectOptions): Subject {
  const { mode, copies } = options
  const tools = new KafkaTools(dependent, options)
  const kraft = mode === 'kraft'

  async function leader(): Promise<number> {
    if (kraft) return await leaderOf(tools)
    return Number(/"brokerid":(\d+)/.exec(await tools.tree('get', '/controller'))?.[1])
  }

  /** Whoever is registered, in service or not: one that left has to be forgotten, too. */
  async function registered(): Promise<ReadonlyMap<number, boolean>> {
    if (kraft) return await registeredOf(tools)
    const [listed, served] = [
      await tools.tree('ls', '/brokers/ids'),
      await tools.kafka('kafka-broker-api-versions'),
    ]
    const serving = [...served.matchAll(/\(id: (\d+) /g)].map(([, id]) => Number(id))
    const ids = new Set([...(listed.match(/\d+/g)?.map(Number) ?? []), ...serving])
    return new Map([...ids].map((id) => [id, serving.includes(id)]))
  }

  async function clusterIdInTree(): Promise<string> {
    const { id } = JSON.parse(await tools.tree('get', '/cluster/id')) as { id: string }
    return id
  }

  return {
    load: new KafkaWrites(dependent, tools, copies),
    leader,
    clusterId: () => clusterIdOf(tools),
    ...(kraft ? {} : { onRecord: clusterIdInTree }),
    async members() {
      const brokers = await registered()
      const gone = [...brokers].filter(([, serves]) => !serves).map(([id]) => id)
      if (gone.length > 0) throw new Error(`${gone} are registered, and do not serve`)
      const votes = kraft ? sorted(await votersOf(tools)).join() : ''
      if (kraft && votes !== '0,1,2') throw new Error(`the voters are ${votes}`)
      return sorted([...brokers.keys()])
    },
    async spare() {
      // With ZooKeeper mode the last one: see the copies of the story.
      if (!kraft) return 2
      return (await leader()) === 0 ? 1 : 0
    },
    async beforeFewer(from, to) {
      const leaving = Array.from({ length: from - to }, (_, n) => to + n)
      await spread(tools, copies, leaving)
      await drainBrokers(dependent, tools, options, leaving)
    },
  }
}

/** Moves everything away from brokers as people do it, by the command in a server's pod. */
export async function drainBrokers(
  { release }: Dependent,
  { bootstrap }: KafkaTools,
  { tls }: KafkaImage,
  leaving: readonly number[],
): Promise<void> {
  const [ca, certificate, key] = ['ca.crt', 'tls.crt', 'tls.key'].map((file) => {
    return `${CERTIFICATES}/${file}`
  })
  const secure = [`--ca=${ca}`, `--certificate=${certificate}`, `--key=${key}`]
  const flags = [`--bootstrap=${bootstrap}`, ...(tls === null ? [] : secure)]
  console.log(await release.exec(0, 'quorate', 'kafka', 'drain', ...leaving.map(String), ...flags))
}

/** Gives those that are to leave something to lose: copies that are written to, and lead. */
async function spread(
  tools: KafkaTools,
  copies: KafkaSubjectOptions['copies'],
  leaving: readonly number[],
): Promise<void> {
  await place(
    tools,
    copies.map((ids, partition) => [leaving[partition % leaving.length] ?? 0, ...ids.slice(1)]),
  )
}

/** Moves the copies of the topic's partitions to these brokers, and waits until they are there. */
async function place(tools: KafkaTools, copies: KafkaSubjectOptions['copies']): Promise<void> {
  const partitions = copies.map((replicas, partition) => ({ topic: TOPIC, partition, replicas }))
  const file = '/tmp/place.json'
  await tools.script(`cat > ${file}`, JSON.stringify({ version: 1, partitions }))
  await tools.kafka('kafka-reassign-partitions', `--reassignment-json-file ${file} --execute`)
  await waitFor(
    'the copies are where they belong',
    async () => {
      const words = `--reassignment-json-file ${file} --verify`
      const state = await tools.kafka('kafka-reassign-partitions', words)
      return (state.match(/is completed\.?$/gm) ?? []).length === partitions.length
    },
    REASSIGNED_WITHIN_MS,
  )
}

function sorted(ids: readonly number[]): number[] {
  return [...ids].sort((one, other) => one - other)
}

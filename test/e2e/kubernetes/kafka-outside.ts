import { expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { run } from './cluster.ts'
import type { StoryPlace } from './dependent-story.ts'
import { type KafkaImage, KafkaTools } from './kafka-tools.ts'

const FIRST_NODE_PORT = 31_090
const POD = 'outside'
const READS = 100
/** The tool itself gives up after five seconds, which a node that starts much else may take. */
const ANSWERS_WITHIN_MS = 120_000

/** Clients on the nodes' own network, which know no name of the cluster. */
export function kafkaFromOutside({ dependent, host }: StoryPlace, image: KafkaImage): void {
  const tools = new KafkaTools(dependent, image)

  async function addressOf(ordinal: number): Promise<string> {
    const { nodeName } = (await dependent.pod(ordinal)).spec
    const path = '{.status.addresses[?(@.type=="InternalIP")].address}'
    const address = await run('kubectl', ['get', 'node', nodeName, '-o', `jsonpath=${path}`])
    return `${address}:${FIRST_NODE_PORT + ordinal}`
  }

  it('has every broker within reach from outside, each on a port of its own', async () => {
    const addresses = await Promise.all([0, 1, 2].map(addressOf))
    await tools.start(POD, 'sleep infinity & wait', host)
    const outside = (script: string) => host.kubectl('exec', POD, '--', 'bash', '-ec', script)
    for (const address of addresses) {
      const told = await waitFor(
        `${address} answers`,
        () => outside(`/opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server ${address}`),
        ANSWERS_WITHIN_MS,
      )
      const listed = [...told.matchAll(/^(\S+) \(id: (\d) /gm)].sort(byId)
      expect(listed.map(([, at]) => at)).toEqual(addresses)
      const read = await outside(
        `/opt/kafka/bin/kafka-console-consumer.sh --bootstrap-server ${address} --topic story ` +
          `--from-beginning --max-messages ${READS} --timeout-ms 60000`,
      )
      expect(read.split('\n')).toHaveLength(READS)
    }
  })
}

function byId([, , one]: RegExpMatchArray, [, , other]: RegExpMatchArray): number {
  return Number(one) - Number(other)
}

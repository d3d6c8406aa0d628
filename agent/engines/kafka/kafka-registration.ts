import * as Type from 'typebox'
import { Value } from 'typebox/value'
import type { Coordination } from '../../coordination/coordination.ts'
import type { KafkaTree } from '../../core/cluster/kafka-plan.ts'
import { messageOf } from '../../errors.ts'

/** What brokers write of themselves; read only, never written by an agent. It has more. */
const Registration = Type.Object({ endpoints: Type.Array(Type.String()) })
const ClusterId = Type.Object({ id: Type.String() })

/**
 * What the tree holds of the broker `id`, whose cluster is kept under `root`. Never rejects. `fresh`: as
 * of now, and not of a moment ago.
 */
export async function readKafkaTree(
  coordination: Coordination,
  root: string,
  id: number,
  fresh: boolean,
): Promise<KafkaTree> {
  try {
    if (fresh) await coordination.barrier()
    const [cluster, broker] = await Promise.all([
      coordination.read(`${root}/cluster/id`),
      coordination.read(`${root}/brokers/ids/${id}`),
    ])
    return {
      kind: 'known',
      clusterId: cluster === null ? '' : Value.Parse(ClusterId, parsed(cluster.data)).id,
      registered: broker === null ? null : hostsOf(broker.data),
    }
  } catch (error) {
    return { kind: 'unknown', reason: messageOf(error) }
  }
}

/** `LISTENER://host:port`, with an IPv6 address in brackets. */
function hostsOf(data: Uint8Array): string[] {
  const { endpoints } = Value.Parse(Registration, parsed(data))
  const hosts = endpoints.map((endpoint) => endpoint.replace(/^.*:\/\//, '').replace(/:\d+$/, ''))
  return [...new Set(hosts)]
}

function parsed(data: Uint8Array): unknown {
  return JSON.parse(Buffer.from(data).toString())
}

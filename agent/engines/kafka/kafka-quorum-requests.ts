import { brokerOf, check, type KafkaBroker, type KafkaRequest } from './kafka-requests.ts'
import type { KafkaReader, KafkaWriter } from './kafka-wire.ts'

/** A node that has the log of the metadata. */
export interface QuorumReplica {
  readonly id: number
  /** Base64url, as meta.properties has it: another disk of the same node is another voter. */
  readonly directoryId: string
  /** When it last had all of the log, by the leader's wall clock; the leader's own is now. -1: not known. */
  readonly caughtUpAt: number
}

export interface QuorumView {
  /** -1 while none is known. */
  readonly leaderId: number
  readonly epoch: number
  readonly voters: readonly QuorumReplica[]
  /** Whoever follows the log without a vote, brokers too. */
  readonly observers: readonly QuorumReplica[]
}

/** The controllers, as any one of them knows them (KIP-919). */
export interface ControllersMetadata {
  readonly clusterId: string
  /** -1 while none is known. */
  readonly leaderId: number
  /** Those that registered at some time, each with its listener. */
  readonly places: readonly KafkaBroker[]
}

/** Where the other controllers reach one. */
export interface ControllerPlace {
  readonly listener: string
  readonly host: string
  readonly port: number
}

const TOPIC = '__cluster_metadata'
/** DescribeCluster's types of endpoints. */
const BROKERS = 1
const CONTROLLERS = 2

/** Brokers pass it on to the leader of the quorum; controllers that do not lead refuse it. */
export const describeQuorum: KafkaRequest<QuorumView> = {
  name: 'DescribeQuorum',
  key: 55,
  version: 2,
  encode: (writer) => {
    writer.array([TOPIC], (topic) => {
      writer.string(topic)
      writer.array([0], (partition) => void writer.int32(partition).end()).end()
    })
    writer.end()
  },
  decode: (reader) => {
    check('DescribeQuorum', reader.int16(), reader.nullableString())
    const [view] = reader
      .array(() => {
        reader.string()
        const partitions = reader.array(() => quorumOf(reader))
        reader.end()
        return partitions
      })
      .flat()
    return view ?? { leaderId: -1, epoch: 0, voters: [], observers: [] }
  },
}

function quorumOf(reader: KafkaReader): QuorumView {
  reader.int32()
  check('DescribeQuorum', reader.int16(), reader.nullableString())
  const [leaderId, epoch] = [reader.int32(), reader.int32()]
  reader.int64()
  const voters = reader.array(() => replicaOf(reader))
  const observers = reader.array(() => replicaOf(reader))
  reader.end()
  return { leaderId, epoch, voters, observers }
}

function replicaOf(reader: KafkaReader): QuorumReplica {
  const [id, directoryId] = [reader.int32(), reader.uuid()]
  reader.int64()
  reader.int64()
  const caughtUpAt = Number(reader.int64())
  reader.end()
  return { id, directoryId, caughtUpAt }
}

/** The leader adds it when it has caught up, or refuses after `timeoutMs` (KIP-853). */
export function addVoter(
  { id, directoryId }: Pick<QuorumReplica, 'id' | 'directoryId'>,
  { listener, host, port }: ControllerPlace,
  timeoutMs: number,
): KafkaRequest<void> {
  return {
    name: 'AddRaftVoter',
    key: 80,
    version: 0,
    encode: (writer) => {
      writer.string(null).int32(timeoutMs).int32(id).uuid(directoryId)
      writer.array([listener], (name) => void writer.string(name).string(host).uint16(port).end())
      writer.end()
    },
    decode: (reader) => checkChange('AddRaftVoter', reader),
  }
}

export function removeVoter({
  id,
  directoryId,
}: Pick<QuorumReplica, 'id' | 'directoryId'>): KafkaRequest<void> {
  return {
    name: 'RemoveRaftVoter',
    key: 81,
    version: 0,
    encode: (writer: KafkaWriter) => void writer.string(null).int32(id).uuid(directoryId).end(),
    decode: (reader) => checkChange('RemoveRaftVoter', reader),
  }
}

/** Answered by every controller, for the listener that it is asked at. */
export const describeControllers: KafkaRequest<ControllersMetadata> = {
  name: 'DescribeCluster',
  key: 60,
  version: 1,
  encode: (writer) => void writer.boolean(false).int8(CONTROLLERS).end(),
  decode: (reader) => {
    reader.int32()
    check('DescribeCluster', reader.int16(), reader.nullableString())
    reader.int8()
    const [clusterId, leaderId] = [reader.string(), reader.int32()]
    const places = reader.array(() => brokerOf(reader))
    return { clusterId, leaderId, places }
  },
}

/** The ids of brokers that are registered and do not run: told from version 2 on, which 3.9 does not have. */
export const fencedBrokers: KafkaRequest<readonly number[]> = {
  name: 'DescribeCluster',
  key: 60,
  version: 2,
  encode: (writer) => void writer.boolean(false).int8(BROKERS).boolean(true).end(),
  decode: (reader) => {
    reader.int32()
    check('DescribeCluster', reader.int16(), reader.nullableString())
    reader.int8()
    reader.string()
    reader.int32()
    const brokers = reader.array(() => {
      const id = reader.int32()
      reader.string()
      reader.int32()
      reader.nullableString()
      const fenced = reader.boolean()
      reader.end()
      return { id, fenced }
    })
    return brokers.filter(({ fenced }) => fenced).map(({ id }) => id)
  },
}

/** Of a broker that does not run any more; refused with BROKER_ID_NOT_REGISTERED when it was done before. */
export function unregisterBroker(id: number): KafkaRequest<void> {
  return {
    name: 'UnregisterBroker',
    key: 64,
    version: 0,
    encode: (writer) => void writer.int32(id).end(),
    decode: (reader) => checkChange('UnregisterBroker', reader),
  }
}

function checkChange(name: string, reader: KafkaReader): void {
  reader.int32()
  check(name, reader.int16(), reader.nullableString())
}

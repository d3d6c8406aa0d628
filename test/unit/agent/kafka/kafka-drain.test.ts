import { describe, expect, it } from 'vitest'
import type { KafkaPartition } from '../../../../agent/core/cluster/kafka-partitions.ts'
import { drainKafka } from '../../../../agent/engines/kafka/kafka-drain.ts'
import type { Reassignment } from '../../../../agent/engines/kafka/kafka-reassignments.ts'
import type { KafkaMetadata, KafkaRequest } from '../../../../agent/engines/kafka/kafka-requests.ts'
import { KafkaReader, KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'
import { AgentError } from '../../../../agent/errors.ts'

/** Looks until a move has arrived, and so many more until the brokers' metadata say so. */
const MOVES_FOR = 2
const STALE_FOR = 2

interface Moving {
  readonly from: readonly number[]
  readonly to: readonly number[]
  looks: number
}

/** A double of a cluster: it reads what it is asked, moves copies step by step, and tells of them late. */
class FakeCluster {
  readonly brokers: number[]
  readonly replicas = new Map<string, readonly number[]>()
  readonly moving = new Map<string, Moving>()
  /** Moves of somebody else that never end. */
  foreign: Reassignment[] = []
  readonly logs = new Map<number, number>()
  readonly asked: string[] = []
  readonly configs = new Map<string, string>()
  mostAtOnce = 0

  constructor(brokers: readonly number[], partitions: Readonly<Record<string, readonly number[]>>) {
    this.brokers = [...brokers]
    for (const [name, replicas] of Object.entries(partitions)) this.replicas.set(name, replicas)
  }

  async metadata(): Promise<KafkaMetadata> {
    const brokers = this.brokers.map((id) => ({ id, host: 'h', port: id }))
    return { clusterId: 'c', controllerId: 0, brokers, partitions: this.#told() }
  }

  /** While copies move, and a while longer, the old ones and the new ones are told together. */
  #told(): KafkaPartition[] {
    return [...this.replicas].map(([name, settled]) => {
      const move = this.moving.get(name)
      const replicas = move === undefined ? settled : [...new Set([...move.to, ...move.from])]
      const [topic = '', partition = ''] = name.split('-')
      return { topic, partition: Number(partition), replicas, inSync: replicas }
    })
  }

  async ask<T>(broker: number, request: KafkaRequest<T>): Promise<T> {
    return this.#answer(request, broker) as T
  }

  async askAny<T>(request: KafkaRequest<T>): Promise<T> {
    return this.#answer(request, null) as T
  }

  async askController<T>(request: KafkaRequest<T>): Promise<T> {
    return this.#answer(request, null) as T
  }

  #answer(request: KafkaRequest<unknown>, broker: number | null): unknown {
    const writer = new KafkaWriter()
    request.encode(writer)
    const reader = new KafkaReader(writer.finish())
    switch (request.name) {
      case 'ListPartitionReassignments':
        return this.#list()
      case 'AlterPartitionReassignments':
        return this.#move(reader)
      case 'IncrementalAlterConfigs':
        return this.#alter(reader, broker)
      case 'DescribeConfigs':
        return new Map([...this.replicas.keys()].map((name) => this.#throttled(name)))
      case 'DescribeLogDirs': {
        const left = this.logs.get(broker ?? -1) ?? 0
        this.logs.set(broker ?? -1, Math.max(0, left - 1))
        return left
      }
      default:
        throw new Error(request.name)
    }
  }

  #list(): Reassignment[] {
    const under: Reassignment[] = [...this.foreign]
    for (const [name, move] of this.moving) {
      move.looks += 1
      if (move.looks > MOVES_FOR + STALE_FOR) {
        this.moving.delete(name)
        this.replicas.set(name, move.to)
      } else if (move.looks <= MOVES_FOR) {
        const [topic = '', partition = ''] = name.split('-')
        const adding = move.to.filter((id) => !move.from.includes(id))
        const removing = move.from.filter((id) => !move.to.includes(id))
        const replicas = [...move.to, ...removing]
        under.push({ topic, partition: Number(partition), replicas, adding, removing })
      }
    }
    return under
  }

  #move(reader: KafkaReader): void {
    reader.int32()
    reader.array(() => {
      const topic = reader.string()
      reader.array(() => {
        const name = `${topic}-${reader.int32()}`
        const to = reader.int32s()
        reader.end()
        this.asked.push(`${name}: ${to.join(' ')}`)
        const from = this.replicas.get(name) ?? []
        this.moving.set(name, { from, to, looks: 0 })
      })
      reader.end()
    })
    const under = [...this.moving.values()].filter(({ looks }) => looks <= MOVES_FOR)
    this.mostAtOnce = Math.max(this.mostAtOnce, under.length)
  }

  #alter(reader: KafkaReader, broker: number | null): void {
    reader.array(() => {
      const type = reader.int8()
      const resource = reader.string()
      if (type === 4 && resource !== String(broker)) throw new Error('not my configuration')
      reader.array(() => {
        const name = `${resource} ${reader.string()}`
        const isDeleted = reader.int8() === 1
        const value = reader.nullableString()
        if (isDeleted) this.configs.delete(name)
        else this.configs.set(name, value ?? '')
        reader.end()
      })
      reader.end()
    })
  }

  #throttled(name: string): [string, Record<string, string>] {
    const [topic = ''] = name.split('-')
    const own = [...this.configs].filter(([key]) => key.startsWith(`${topic} `))
    return [topic, Object.fromEntries(own.map(([key, value]) => [key.split(' ')[1], value]))]
  }
}

async function drain(cluster: FakeCluster, leaving: readonly number[], throttle = 0) {
  const told: string[] = []
  const options = { cluster, leaving, throttle, pollMs: 1, timeoutMs: 1_000, patienceMs: 500 }
  const tell = (progress: string) => void told.push(progress)
  await drainKafka({ ...options, tell, nowMs: () => performance.now() })
  return told
}

describe('emptying a broker', () => {
  it('moves each partition once, whatever old news the brokers tell of it', async () => {
    const cluster = new FakeCluster([0, 1, 2], { 'a-0': [2, 0], 'a-1': [0, 1], 'b-0': [1, 2] })
    const told = await drain(cluster, [2])
    expect(cluster.asked).toEqual(['a-0: 1 0', 'b-0: 1 0'])
    expect([...cluster.replicas.values()].flat()).not.toContain(2)
    expect(told).toEqual([
      '2 partitions to go, 0 on their way',
      '2 partitions to go, 2 on their way',
      '2 partitions to go, 0 on their way',
    ])
  })

  it('waits until the disk is empty, of a broker that runs', async () => {
    const cluster = new FakeCluster([0, 1, 2], { 'a-0': [0, 1] })
    cluster.logs.set(2, 2)
    expect(await drain(cluster, [2])).toEqual([
      '2 logs are yet to be deleted',
      '1 logs are yet to be deleted',
    ])
    const dead = new FakeCluster([0, 1], { 'a-0': [0, 2] })
    dead.logs.set(2, 1_000)
    await drain(dead, [2])
    expect(dead.asked).toEqual(['a-0: 0 1'])
  })

  it('goes on with what an earlier call left behind', async () => {
    const cluster = new FakeCluster([0, 1, 2], { 'a-0': [2, 0], 'a-1': [0, 2] })
    cluster.moving.set('a-0', { from: [2, 0], to: [1, 0], looks: 0 })
    cluster.configs.set('a follower.replication.throttled.replicas', '0:1')
    cluster.configs.set('0 leader.replication.throttled.rate', '1')
    await drain(cluster, [2], 1_000)
    expect(cluster.asked).toEqual(['a-1: 0 1'])
    expect([...cluster.configs]).toEqual([])
  })

  it('throttles the copies that move, and takes that back', async () => {
    const cluster = new FakeCluster([0, 1, 2], { 'a-0': [2, 0], 'a-1': [0, 1] })
    let during = new Map<string, string>()
    const { askController } = cluster
    cluster.askController = async (request) => {
      if (request.name === 'AlterPartitionReassignments') during = new Map(cluster.configs)
      return askController.call(cluster, request) as never
    }
    await drain(cluster, [2], 1_000)
    expect(Object.fromEntries(during)).toMatchObject({
      '0 leader.replication.throttled.rate': '1000',
      '2 follower.replication.throttled.rate': '1000',
      'a leader.replication.throttled.replicas': '0:2,0:0',
      'a follower.replication.throttled.replicas': '0:1',
    })
    expect([...cluster.configs]).toEqual([])
  })

  it('leaves the throttle while others move partitions', async () => {
    const cluster = new FakeCluster([0, 1, 2], { 'a-0': [2, 0] })
    const foreign = { topic: 'z', partition: 0, replicas: [0, 1], adding: [1], removing: [] }
    cluster.foreign = [foreign]
    expect(await drain(cluster, [2], 1_000)).toContain(
      'other partitions are moving: the throttle stays',
    )
    expect(cluster.configs.get('0 leader.replication.throttled.rate')).toBe('1000')
  })

  it('asks again when a broker that is listed has just left', async () => {
    const cluster = new FakeCluster([0, 1, 2], { 'a-0': [2, 0] })
    const silence = new AgentError('ENGINE_UNREACHABLE', 'h:2: getaddrinfo ENOTFOUND h')
    const { ask } = cluster
    let silent = 3
    cluster.ask = async (broker, request) => {
      silent -= 1
      if (broker === 2 && silent >= 0) throw silence
      return ask.call(cluster, broker, request) as never
    }
    const told = await drain(cluster, [2], 1_000)
    expect(told.filter((line) => line.includes('ENOTFOUND'))).toHaveLength(1)
    expect([...cluster.replicas.values()].flat()).not.toContain(2)
    expect([...cluster.configs]).toEqual([])
    cluster.ask = async () => {
      throw silence
    }
    await expect(drain(cluster, [2], 1_000)).rejects.toBe(silence)
  })

  it('moves a hundred partitions at a time', async () => {
    const many = Array.from({ length: 150 }, (_, i) => [`a-${i}`, [2]] as const)
    const cluster = new FakeCluster([0, 1, 2], Object.fromEntries(many))
    await drain(cluster, [2])
    expect(cluster.asked).toHaveLength(150)
    expect(cluster.mostAtOnce).toBe(100)
    const targets = cluster.asked.map((line) => line.split(': ')[1])
    expect(targets.filter((to) => to === '0')).toHaveLength(75)
  })

  it('refuses what cannot be done', async () => {
    const cluster = new FakeCluster([0, 1, 2], { 'a-0': [0, 1, 2] })
    await expect(drain(cluster, [2])).rejects.toMatchObject({ code: 'ENGINE_REFUSED' })
    await expect(drain(cluster, [7])).rejects.toThrow('no broker 7; there are 0, 1, 2')
    expect(cluster.asked).toEqual([])
  })
})

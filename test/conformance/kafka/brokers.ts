import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ZkClient } from '../../../server/cli/zk-client.ts'
import { type JavaTool, SMALL_JVM } from '../../support/java.ts'
import { reservePorts } from '../../support/ports.ts'
import { ServerProcess } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'

const BROKERS = 3
const STARTS_WITHIN_MS = 120_000
const SESSION_MS = 6_000

/** Three of Apache Kafka's brokers, whose cluster is kept under /kafka on `servers`. */
export class KafkaBrokers {
  readonly addresses: string
  readonly #servers: readonly string[]
  readonly #directory: string
  readonly #processes: readonly ServerProcess[]

  private constructor(tool: JavaTool, servers: readonly string[], ports: readonly number[]) {
    this.#servers = servers
    this.addresses = ports.map((port) => `127.0.0.1:${port}`).join(',')
    this.#directory = mkdtempSync(join(tmpdir(), 'quorate-kafka-'))
    const log4j = this.#write('log4j.properties', {
      'log4j.rootLogger': 'WARN, out',
      'log4j.appender.out': 'org.apache.log4j.ConsoleAppender',
      'log4j.appender.out.layout': 'org.apache.log4j.PatternLayout',
      'log4j.appender.out.layout.ConversionPattern': '%d %p %m (%c{1})%n',
    })
    this.#processes = ports.map((port, id) => {
      const home = join(this.#directory, String(id))
      mkdirSync(home)
      const file = this.#write(`broker-${id}.properties`, {
        'broker.id': String(id),
        listeners: `PLAINTEXT://127.0.0.1:${port}`,
        'zookeeper.connect': `${servers.join(',')}/kafka`,
        'zookeeper.session.timeout.ms': String(SESSION_MS),
        'log.dirs': home,
        'auto.create.topics.enable': 'false',
        'num.network.threads': '2',
        'num.io.threads': '4',
        'background.threads': '2',
        'log.cleaner.dedupe.buffer.size': '4194304',
      })
      const options = [...SMALL_JVM, `-Dlog4j.configuration=file:${log4j}`, '-cp', tool.jars]
      const log = join(this.#directory, `${id}.log`)
      return new ServerProcess(`kafka ${id}`, tool.java, [...options, 'kafka.Kafka', file], log)
    })
  }

  static async start(tool: JavaTool, servers: readonly string[]): Promise<KafkaBrokers> {
    const brokers = new KafkaBrokers(tool, servers, await reservePorts(BROKERS))
    for (const broker of brokers.#processes) broker.start()
    try {
      await Promise.all(brokers.#processes.map((_, id) => brokers.#registered(id)))
    } catch (error) {
      await brokers.stop()
      throw error
    }
    return brokers
  }

  /** The broker that leads the cluster, as it says on the servers. */
  async controller(): Promise<number> {
    const { brokerid } = JSON.parse(await this.#read('/kafka/controller'))
    return brokerid
  }

  /** How often a controller was elected. */
  async controllerEpoch(): Promise<number> {
    return Number(await this.#read('/kafka/controller_epoch'))
  }

  async kill(id: number): Promise<void> {
    await this.#at(id).signal('SIGKILL')
  }

  /** Starts a killed broker, which its former session must not keep from being itself. */
  async restart(id: number): Promise<void> {
    await waitFor(
      `the former session of broker ${id} ends`,
      async () => !(await this.#isRegistered(id)),
      STARTS_WITHIN_MS,
    )
    this.#at(id).start()
    await this.#registered(id)
  }

  async stop(): Promise<void> {
    // All is over: nobody waits for a shutdown under control.
    await Promise.all(this.#processes.map((broker) => broker.signal('SIGKILL')))
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 })
  }

  logs(): string {
    return this.#processes.map((broker) => broker.logTail()).join('\n')
  }

  #registered(id: number): Promise<void> {
    return this.#at(id).ready(() => this.#isRegistered(id), STARTS_WITHIN_MS)
  }

  async #isRegistered(id: number): Promise<boolean> {
    return await this.#ask(async (client) =>
      (await client.children('/kafka/brokers/ids', false)).children.includes(String(id)),
    )
  }

  async #read(path: string): Promise<string> {
    return await this.#ask(async (client) =>
      Buffer.from((await client.get(path, false)).data ?? []).toString(),
    )
  }

  async #ask<T>(question: (client: ZkClient) => Promise<T>): Promise<T> {
    const client = await ZkClient.connect(this.#servers, SESSION_MS)
    try {
      return await question(client)
    } finally {
      await client.close()
    }
  }

  #at(id: number): ServerProcess {
    const broker = this.#processes[id]
    if (broker === undefined) throw new Error(`no broker ${id}`)
    return broker
  }

  #write(name: string, lines: Readonly<Record<string, string>>): string {
    const file = join(this.#directory, name)
    const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(file, text.join(''))
    return file
  }
}

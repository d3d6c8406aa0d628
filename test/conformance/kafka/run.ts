import { compile, javaTool, SMALL_JVM } from '../../support/java.ts'
import { leaderOf } from '../../support/processes.ts'
import { quorateEnsemble } from '../../support/quorate-process.ts'
import { CaseProgram } from '../clients/case-program.ts'
import { KafkaBrokers } from './brokers.ts'

const TOPIC = 'numbered'
const PARTITIONS = 4
const COPIES = 3

export interface KafkaRun {
  readonly records: number
  /** Elections of a controller: one at the start, and one for each that was killed. */
  readonly controllerEpochs: readonly [before: number, after: number]
  readonly producedMs: number
}

/**
 * Kafka on three servers: `records` are produced, acknowledged by all copies in sync, while the broker
 * that leads the cluster is killed, and then the server that leads the ensemble. All are read again,
 * each once and in order, before the killed ones are back and after. Rejects when one is missing.
 */
export async function kafkaRun(records: number): Promise<KafkaRun> {
  const tool = javaTool('kafka')
  if (tool.found === null) throw new Error(tool.reason)
  const classPath = compile(tool.found, 'conformance/java/kafka')
  const ensemble = await quorateEnsemble({ servers: 3 })
  let brokers: KafkaBrokers | undefined
  let program: CaseProgram | undefined
  try {
    await ensemble.start()
    const servers = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`)
    const cluster = await KafkaBrokers.start(tool.found, servers)
    brokers = cluster
    const args = [...SMALL_JVM, '-cp', classPath, 'KafkaRecords', cluster.addresses]
    program = new CaseProgram(tool.found.java, args)
    await program.run(`topic ${TOPIC} ${PARTITIONS}`)
    const before = await cluster.controllerEpoch()
    const [broker, server] = [await cluster.controller(), await leaderOf(ensemble)]
    const startedAt = performance.now()
    await program.run(`produce ${TOPIC} ${records}`, {
      quarter: () => cluster.kill(broker),
      half: () => ensemble.kill(server),
    })
    const producedMs = Math.round(performance.now() - startedAt)
    await program.run(`consume ${TOPIC} ${records}`)
    await ensemble.restart(server)
    await cluster.restart(broker)
    await program.run(`insync ${TOPIC} ${COPIES}`)
    await program.run(`consume ${TOPIC} ${records}`)
    const after = await cluster.controllerEpoch()
    return { records, controllerEpochs: [before, after], producedMs }
  } catch (error) {
    throw new Error(`${String(error)}\n${brokers?.logs()}\n${ensemble.logs()}`)
  } finally {
    program?.stop()
    await brokers?.stop()
    await ensemble.stop()
  }
}

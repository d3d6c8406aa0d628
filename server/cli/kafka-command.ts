import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { Command, InvalidArgumentError } from 'commander'
import { KafkaCluster } from '../../agent/engines/kafka/kafka-cluster.ts'
import { drainKafka } from '../../agent/engines/kafka/kafka-drain.ts'
import { AgentError } from '../../agent/errors.ts'
import { CommandFailure } from './command-failure.ts'

/** One request to a broker. */
const TIMEOUT_MS = 10_000
const POLL_MS = 1_000
/** For a broker that is listed and does not answer: one that leaves is listed for a session longer. */
const PATIENCE_MS = 60_000
/** Bytes per second: half of what a network of a gigabit takes. */
const THROTTLE = 50_000_000

interface DrainFlags {
  readonly bootstrap: string
  readonly throttle: number
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
}

/** `quorate kafka …`: what a Kafka cluster needs before its set is made smaller. */
export function kafkaCommand(): Command {
  const command = new Command('kafka').description('prepare a Kafka cluster for fewer brokers')
  command
    .command('drain')
    .description('move all partitions away from brokers, and wait until their disks are empty')
    .argument('<brokers...>', 'ids of the brokers', brokerIds)
    .option('--bootstrap <host:port,...>', 'brokers to ask first', bootstrapDefault())
    .option('--throttle <bytes>', 'per second and broker; 0: as fast as it goes', bytes, THROTTLE)
    .option('--ca <file>', 'authorities of the brokers’ certificates, for TLS')
    .option('--certificate <file>', 'own certificate to show, for TLS')
    .option('--key <file>', 'key of that certificate; in the same file if missing')
    .action(async (brokers: number[], flags: DrainFlags) => {
      await drain(brokers, flags)
    })
  return command
}

async function drain(leaving: readonly number[], flags: DrainFlags): Promise<void> {
  const places = flags.bootstrap.split(',').map(placeOf)
  const tls = tlsOf(flags)
  const cluster = new KafkaCluster(places, tls, TIMEOUT_MS)
  try {
    await drainKafka({
      cluster,
      leaving,
      throttle: flags.throttle,
      pollMs: POLL_MS,
      timeoutMs: TIMEOUT_MS,
      patienceMs: PATIENCE_MS,
      tell: (progress) => process.stdout.write(`${progress}\n`),
      nowMs: () => performance.now(),
    })
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    throw new CommandFailure(error.message)
  } finally {
    cluster.close()
  }
  process.stdout.write(`nothing is left on ${leaving.join(', ')}\n`)
}

function bootstrapDefault(): string {
  return process.env['QUORATE_KAFKA_BOOTSTRAP'] ?? '127.0.0.1:9092'
}

/** Commander gives the arguments one by one, with what came of those before. */
function brokerIds(text: string, before: number[] | undefined): number[] {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be the id of a broker.')
  return [...(before ?? []), Number(text)]
}

function bytes(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a number of bytes.')
  return Number(text)
}

function placeOf(text: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(text.trim()) ?? []
  if (host === undefined) throw new CommandFailure(`bootstrap: ${text} is no host:port`)
  return { host, port: Number(port) }
}

function tlsOf({ ca, certificate, key }: DrainFlags): ((host: string) => ConnectionOptions) | null {
  if (ca === undefined) return null
  const options = {
    ca: read(ca),
    ...(certificate === undefined
      ? {}
      : { cert: read(certificate), key: read(key ?? certificate) }),
  }
  return (host) => ({ ...options, servername: host })
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error))
  }
}

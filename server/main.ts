import { randomBytes } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { type Logger, pino } from 'pino'
import { type Config, redacted } from './config/config.ts'
import type { Settings } from './config/schema.ts'
import { createNodeEnvironment } from './ensemble/node-environment.ts'
import { Replica } from './ensemble/replica.ts'
import { CodedError } from './errors.ts'
import { buildApp } from './http/app.ts'
import { limits } from './limits.ts'
import { Listener } from './listener/listener.ts'
import { Distribution } from './measure.ts'
import { buildMetrics } from './metrics/metrics.ts'
import { NodeFileSystem } from './storage/node-file-system.ts'
import { openStorage } from './storage/open-storage.ts'
import type { OpenedStorage, StorageFault } from './storage/storage.ts'
import { TcpTransport } from './transport/tcp-transport.ts'
import { BUILD_DATE, VERSION } from './version.ts'

const STOP_TIMEOUT_MS = 20_000

/** Runs one server until it is told to stop. Rejects with a CodedError when it cannot start. */
export async function runServer(config: Config): Promise<void> {
  const { settings } = config
  const logger = pino({ level: settings.logLevel, base: { server: settings.name } })
  logger.info({ version: VERSION, settings: redacted(settings) }, 'starting')
  for (const warning of config.warnings) logger.warn(warning)
  const environment = createNodeEnvironment(logger)
  const syncMs = new Distribution()
  const storage = open(settings, logger, syncMs)
  let transport: TcpTransport | null = null
  const replica = new Replica({
    environment,
    storage,
    transport: (events, hello) => {
      transport = new TcpTransport(transportOptions(settings, logger), events, hello)
      return transport
    },
    addresses: {
      peerAddress: `${settings.advertisedHost}:${settings.peerPort}`,
      clientAddress: `${settings.advertisedHost}:${settings.clientPort}`,
      httpAddress: settings.httpPort === 0 ? '' : `${settings.advertisedHost}:${settings.httpPort}`,
      observer: settings.observer,
    },
    forming: config.forming,
    expectedVoters: settings.expectedVoters,
    limits: { ...limits, ...config, snapshotRequests: settings.snapshotRequests },
    onFault: (fault) => die(logger, fault),
  })
  const startedAtMs = performance.now()
  const listener = new Listener(listenerOptions(settings, replica, environment, startedAtMs))
  const app =
    settings.httpPort === 0
      ? null
      : await buildHttp(settings, logger, replica, listener, startedAtMs, syncMs, () => transport)
  await opened('peerPort', settings.peerPort, () => (transport as TcpTransport | null)?.listen())
  await opened('clientPort', settings.clientPort, () => listener.listen())
  if (app !== null) {
    const host = settings.httpHost === '' ? everywhere() : settings.httpHost
    await opened('httpPort', settings.httpPort, () => app.listen({ host, port: settings.httpPort }))
  }
  replica.start()
  closeWithGrace({ delay: STOP_TIMEOUT_MS, logger: false }, async ({ err, signal }) => {
    if (err !== undefined) {
      logger.fatal({ err }, 'an unexpected error ends the server')
      return
    }
    logger.info({ signal }, 'stopping')
    // First out of leadership, with the clients still served, then out of service.
    await replica.handOver()
    await listener.close()
    await app?.close()
    await new Promise<void>((resolve) => replica.stop(resolve))
    logger.info('stopped')
  })
}

function open(settings: Settings, logger: Logger, syncMs: Distribution): OpenedStorage {
  const { dataDirectory, logDirectory, snapshotDirectory } = settings
  const storage = openStorage({
    fileSystem: new NodeFileSystem(),
    directory: dataDirectory,
    ...(logDirectory === '' ? {} : { logDirectory }),
    ...(snapshotDirectory === '' ? {} : { snapshotDirectory }),
    name: settings.name,
    newId: () => randomBytes(8).toString('hex'),
    random: Math.random,
    schedule: (delayMs, call) => {
      setTimeout(call, delayMs)
    },
    endOfTurn: queueMicrotask,
    segmentBytes: settings.segmentBytes,
    snapshotsKept: settings.snapshotsKept,
    timeSync: () => {
      const beganMs = performance.now()
      return () => syncMs.note(performance.now() - beganMs)
    },
    onFault: (fault) => die(logger, fault),
  })
  if ('code' in storage) {
    const { code, file, offset, detail } = storage
    throw new CodedError(code, `${file} at offset ${offset}: ${detail}`)
  }
  for (const note of storage.notes) logger.warn(note)
  return storage
}

/** A full disk passes; after any other fault nothing may be acknowledged any more. */
function die(logger: Logger, fault: StorageFault): void {
  if (fault.code === 'DISK_FULL') {
    logger.error({ ...fault }, 'the disk is full: writes are refused until there is space')
    return
  }
  const { exit } = new CodedError(fault.code, fault.detail)
  logger.fatal({ ...fault }, 'the disk failed: the server ends')
  process.exit(exit)
}

function transportOptions(settings: Settings, logger: Logger) {
  return {
    listenHost: settings.peerHost,
    listenPort: settings.peerPort,
    secret: settings.secret,
    frameBytesMax: limits.peerFrameBytesMax,
    queueBytesMax: limits.peerQueueBytesMax,
    dialTimeoutMs: limits.dialTimeoutMs,
    keepaliveMs: limits.linkKeepaliveMs,
    silenceMsMax: limits.linkSilenceMsMax,
    handshakeTimeoutMs: settings.rpcTimeoutMs,
    retryMsMin: limits.dialRetryMsMin,
    retryMsMax: limits.dialRetryMsMax,
    connectRetries: settings.connectRetries,
    random: Math.random,
    log: (level: 'info' | 'warn', message: string, fields: object) =>
      logger[level](fields, message),
  }
}

function listenerOptions(
  settings: Settings,
  replica: Replica,
  environment: ReturnType<typeof createNodeEnvironment>,
  startedAtMs: number,
) {
  return {
    ensemble: replica,
    environment,
    host: settings.clientHost,
    port: settings.clientPort,
    authenticator: { superDigest: settings.superDigest === '' ? null : settings.superDigest },
    sessionTimeoutMsMin: settings.sessionTimeoutMsMin,
    sessionTimeoutMsMax: settings.sessionTimeoutMsMax,
    frameBytesMax: settings.frameBytesMax,
    outputBytesMax: limits.clientOutputBytesMax,
    outstandingMax: limits.connectionOutstandingMax,
    watchesMax: limits.watchesPerConnectionMax,
    connectionsMax: settings.connectionsMax,
    connectionsPerAddressMax: settings.connectionsPerAddressMax,
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    linearizableReads: settings.linearizableReads,
    fourLetterWords: settings.fourLetterWords,
    words: {
      version: VERSION,
      builtOn: BUILD_DATE,
      startedAtMs,
      nowMs: () => performance.now(),
      configuration: confLines(settings),
      directories: () => {
        const { dataBytes, logBytes } = replica.status()
        return { dataBytes, logBytes }
      },
    },
  }
}

/** ZooKeeper's own keys where there are such, for tools that read `conf`. */
function confLines(settings: Settings): [string, string][] {
  return [
    ['clientPort', String(settings.clientPort)],
    ['dataDir', settings.dataDirectory],
    ['dataLogDir', settings.logDirectory === '' ? settings.dataDirectory : settings.logDirectory],
    ['tickTime', String(Math.round(settings.sessionTimeoutMsMin / 2))],
    ['maxClientCnxns', String(settings.connectionsPerAddressMax)],
    ['minSessionTimeout', String(settings.sessionTimeoutMsMin)],
    ['maxSessionTimeout', String(settings.sessionTimeoutMsMax)],
    ['serverId', settings.name],
    ['electionTimeoutMs', String(settings.electionTimeoutMs)],
    ['heartbeatIntervalMs', String(settings.heartbeatIntervalMs)],
  ]
}

function buildHttp(
  settings: Settings,
  logger: Logger,
  replica: Replica,
  listener: Listener,
  startedAtMs: number,
  syncMs: Distribution,
  transport: () => TcpTransport | null,
) {
  const { stats, registry } = listener
  const metrics = buildMetrics({
    ensemble: replica,
    listener: () => ({
      connections: registry.count,
      outstanding: registry.outstanding(),
      packetsReceived: stats.packetsReceived,
      packetsSent: stats.packetsSent,
      latencyMinMs: stats.latencyMinMs,
      latencyAverageMs: stats.latencyAverageMs,
      latencyMaxMs: stats.latencyMaxMs,
      connectionsRejected: stats.connectionsRejected,
      connectionsDropped: stats.connectionsDropped,
      authFailures: stats.authFailures,
      responseBytes: stats.responseBytes,
    }),
    durations: {
      ...replica.status().measures,
      readLatencyMs: stats.readLatencyMs,
      updateLatencyMs: stats.updateLatencyMs,
      syncMs,
    },
    transport: () => transport() ?? { droppedFrames: 0, refusedLinks: 0, silentLinks: 0 },
    startedAtMs,
    nowMs: () => performance.now(),
  })
  return buildApp({
    ensemble: replica,
    metrics,
    logger,
    authorisation:
      settings.httpAuth === 'token'
        ? { mode: 'token', token: settings.httpToken }
        : { mode: settings.httpAuth },
    apiTimeoutMs: settings.apiTimeoutMs,
    forwardTimeoutMs: settings.forwardTimeoutMs,
    requestMsMax: limits.httpRequestMsMax,
    bodyBytesMax: settings.frameBytesMax,
    refusedBody: { bytesMax: limits.refusedBodyBytesMax, msMax: limits.refusedBodyMsMax },
    keyBytesMax: limits.keyBytesMax,
    eventLoopDelayMsMax: limits.eventLoopDelayMsMax,
    pageDirectory: join(dirname(fileURLToPath(import.meta.url)), 'ui'),
  })
}

/** All addresses; a machine whose kernel has no IPv6 cannot listen on `::`. */
function everywhere(): string {
  const all = Object.values(networkInterfaces()).flat()
  return all.some((address) => address?.family === 'IPv6') ? '::' : '0.0.0.0'
}

async function opened(setting: string, port: number, open: () => Promise<unknown> | undefined) {
  try {
    await open()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CodedError('PORT_UNAVAILABLE', `${setting} ${port}: ${reason}`)
  }
}

import { randomBytes } from 'node:crypto'
import closeWithGrace from 'close-with-grace'
import { type Logger, pino } from 'pino'
import { advertisedAddresses } from './advertised-addresses.ts'
import { openAuditLog } from './audit/audit-log.ts'
import { type Config, redacted } from './config/config.ts'
import type { Settings } from './config/schema.ts'
import { throttleOf } from './config/throttle-settings.ts'
import { openCredentials } from './credentials.ts'
import { createNodeEnvironment } from './ensemble/node-environment.ts'
import { Replica } from './ensemble/replica.ts'
import { CodedError } from './errors.ts'
import { limits } from './limits.ts'
import { Listener } from './listener/listener.ts'
import { TRACE_MASK, type WordContext } from './listener/word-context.ts'
import { Distribution } from './measure.ts'
import { directorySizes, servedConfiguration } from './served-configuration.ts'
import { buildHttp, openHttp } from './served-http.ts'
import { NodeFileSystem } from './storage/node-file-system.ts'
import { openStorage } from './storage/open-storage.ts'
import type { OpenedStorage, StorageFault } from './storage/storage.ts'
import type { Credentials } from './tls/credentials.ts'
import { TcpTransport } from './transport/tcp-transport.ts'
import { ANNOUNCED_VERSION, BUILD_DATE, VERSION } from './version.ts'

/** Runs one server until it is told to stop. Rejects with a CodedError when it cannot start. */
export async function runServer(config: Config): Promise<void> {
  const { settings } = config
  const logger = pino({ level: settings.logLevel, base: { server: settings.name } })
  logger.info({ version: VERSION, settings: redacted(settings) }, 'starting')
  for (const warning of config.warnings) logger.warn(warning)
  const environment = createNodeEnvironment(logger)
  const syncMs = new Distribution()
  const openingMs = new Distribution()
  const credentials = await openCredentials(config, logger)
  const openedAtMs = performance.now()
  const storage = open(settings, logger, syncMs)
  let transport: TcpTransport | null = null
  const replica = new Replica({
    environment,
    storage,
    transport: (events, hello) => {
      transport = new TcpTransport(
        transportOptions(settings, logger, credentials.peer),
        events,
        hello,
      )
      return transport
    },
    addresses: {
      ...advertisedAddresses(settings),
      observer: settings.observer,
    },
    forming: config.forming,
    expectedVoters: settings.expectedVoters,
    limits: { ...limits, ...config, ...settingsOfLimits(settings) },
    enforcesQuotas: settings.enforceQuota,
    reconfigEnabled: settings.reconfigEnabled,
    ...(settings.readOnlyMode ? { readOnlyAfterMs: limits.readOnlyAfterMs } : {}),
    onFault: (fault) => die(logger, fault),
  })
  const auditLog = openAuditLog({
    file: settings.auditFile,
    everything: settings.auditEnabled,
    bufferBytesMax: limits.auditBufferBytesMax,
    denialsPerSecondMax: limits.auditDenialsPerSecondMax,
    server: settings.name,
    logger,
  })
  const { audit } = auditLog
  const startedAtMs = performance.now()
  openingMs.note(startedAtMs - openedAtMs)
  const listener = new Listener({
    ...listenerOptions(settings, replica, environment, startedAtMs, { syncMs, openingMs }),
    authenticator: config.authenticator,
    audit,
    tls: listenerTls(settings, credentials.client),
  })
  const parts = { config, logger, ensemble: replica, listener, startedAtMs, credentials, audit }
  const app =
    settings.httpPort === 0 ? null : await buildHttp({ ...parts, transport: () => transport })
  await openPeerPort(config, logger, () => (transport as TcpTransport | null)?.listen())
  const { clientPort, secureClientPort } = settings
  if (clientPort !== 0) await opened('clientPort', clientPort, () => listener.listen())
  if (secureClientPort !== 0) {
    await opened('secureClientPort', secureClientPort, () => listener.listenSecurely())
  }
  if (app !== null) await opened('httpPort', settings.httpPort, () => openHttp(app, settings))
  replica.start()
  audit.server('serverStart', 'success')
  closeWithGrace({ delay: limits.stopMsMax, logger: false }, async ({ err, signal }) => {
    if (err !== undefined) {
      logger.fatal({ err }, 'an unexpected error ends the server')
      return
    }
    logger.info({ signal }, 'stopping')
    audit.server('serverStop', 'invoked')
    // First out of leadership, with the clients still served, then out of service.
    await replica.handOver()
    await listener.close()
    for (const each of credentials.all.values()) each.unwatch()
    await app?.close()
    await new Promise<void>((resolve) => replica.stop(resolve))
    auditLog.close()
    logger.info('stopped')
  })
}

/** Those bounds that are settings. */
function settingsOfLimits(settings: Settings) {
  const { snapshotRequests, containerCheckMs, containerUnusedMs } = settings
  const { containerDeletionsPerMinuteMax } = settings
  return { snapshotRequests, containerCheckMs, containerUnusedMs, containerDeletionsPerMinuteMax }
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

function transportOptions(settings: Settings, logger: Logger, credentials: Credentials | null) {
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
    tls:
      credentials === null
        ? null
        : {
            credentials,
            dial: settings.peerTls,
            shared: settings.peerPortUnification || !settings.peerTls,
            verifyHost: settings.peerTlsVerifyHost,
          },
    log: (level: 'info' | 'warn', message: string, fields: object) =>
      logger[level](fields, message),
  }
}

function listenerOptions(
  settings: Settings,
  replica: Replica,
  environment: ReturnType<typeof createNodeEnvironment>,
  startedAtMs: number,
  measured: WordContext['measured'],
) {
  return {
    ensemble: replica,
    environment,
    host: settings.clientHost,
    port: settings.clientPort,
    backlog: settings.listenBacklog,
    sessionTimeoutMsMin: settings.sessionTimeoutMsMin,
    sessionTimeoutMsMax: settings.sessionTimeoutMsMax,
    frameBytesMax: settings.frameBytesMax,
    outputBytesMax: limits.clientOutputBytesMax,
    replyWindowBytes: limits.clientReplyWindowBytes,
    requestsPerTurnMax: limits.connectionRequestsPerTurnMax,
    admissionsPerTurnMax: limits.admissionsPerTurnMax,
    outstandingMax: limits.connectionOutstandingMax,
    watchesMax: limits.watchesPerConnectionMax,
    connectionsMax: settings.connectionsMax,
    connectionsPerAddressMax: settings.connectionsPerAddressMax,
    handshakeTimeoutMs: settings.handshakeTimeoutMs,
    throttle: throttleOf(settings),
    linearizableReads: settings.linearizableReads,
    extendedTypes: settings.extendedTypesEnabled,
    fourLetterWords: settings.fourLetterWords,
    words: {
      version: ANNOUNCED_VERSION,
      builtOn: BUILD_DATE,
      startedAtMs,
      nowMs: () => performance.now(),
      wallClockMs: Date.now,
      configuration: servedConfiguration(settings),
      directories: () => directorySizes(settings),
      measured,
      trace: { mask: TRACE_MASK },
      listedMax: limits.listedEntriesMax,
    },
  }
}

function listenerTls(settings: Settings, credentials: Credentials | null) {
  if (credentials === null) return null
  return {
    credentials,
    host: settings.secureClientHost,
    port: settings.secureClientPort,
    shared: settings.clientPortUnification,
    superSubject: settings.superSubject,
  }
}

async function openPeerPort(
  { settings, peerPortOptional }: Config,
  logger: Logger,
  open: () => Promise<unknown> | undefined,
): Promise<void> {
  try {
    await opened('peerPort', settings.peerPort, open)
  } catch (error) {
    if (!peerPortOptional) throw error
    logger.warn({ err: error }, 'no other server can be added to this one, which stands alone')
  }
}

async function opened(setting: string, port: number, open: () => Promise<unknown> | undefined) {
  try {
    await open()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CodedError('PORT_UNAVAILABLE', `${setting} ${port}: ${reason}`)
  }
}

import { openSync } from 'node:fs'
import { userInfo } from 'node:os'
import { type Logger, pino } from 'pino'
import { CodedError } from '../errors.ts'
import { Audit, type AuditEntry } from './audit.ts'

export interface AuditLogOptions {
  /** '': the log of the server. */
  readonly file: string
  /** Every write, and not administration and ACLs alone. */
  readonly everything: boolean
  /** Bytes that may wait for the disk; lines beyond are dropped. */
  readonly bufferBytesMax: number
  /** Lines in a second of requests that were denied; those beyond are left out. */
  readonly denialsPerSecondMax: number
  readonly server: string
  readonly logger: Logger
}

/** Of lines that were dropped at most once a second something is logged. */
const LOG_EVERY_MS = 1_000

/** Readable for the user's group alone: it tells who does what. */
const FILE_MODE = 0o640

/** Where audited changes are written; `close` waits for what is not on its way yet. */
export interface AuditLog {
  readonly audit: Audit
  readonly close: () => void
}

/** Opens the file, which must be possible; throws CONFIG_INVALID. */
export function openAuditLog(options: AuditLogOptions): AuditLog {
  const { file, everything, logger } = options
  const { log, close } = file === '' ? within(logger) : apart(options)
  const write = (entry: AuditEntry) => {
    if (entry.result === 'failure') log.warn(entry)
    else log.info(entry)
  }
  const tellsDenial = denialRate(options)
  return { audit: new Audit({ everything, serverUser: userName(), write, tellsDenial }), close }
}

/** True as often as denials are written; of those left out the server's log has the number. */
function denialRate({ denialsPerSecondMax, logger }: AuditLogOptions): () => boolean {
  let sinceMs = Number.NEGATIVE_INFINITY
  let told = 0
  let leftOut = 0
  return () => {
    const nowMs = performance.now()
    if (nowMs - sinceMs >= LOG_EVERY_MS) {
      sinceMs = nowMs
      told = 0
    }
    told += 1
    if (told <= denialsPerSecondMax) return true
    leftOut += 1
    if (told === denialsPerSecondMax + 1) {
      logger.error({ leftOut }, 'more requests are denied than the audit log takes')
    }
    return false
  }
}

/** Lines of the server's log, whatever its level is. */
function within(logger: Logger): { log: Logger; close: () => void } {
  return { log: logger.child({ audit: true }, { level: 'info' }), close: () => {} }
}

function apart({ file, server, logger, bufferBytesMax }: AuditLogOptions) {
  const destination = pino.destination({
    fd: opened(file),
    sync: false,
    maxLength: bufferBytesMax,
  })
  let dropped = 0
  let loggedAtMs = Number.NEGATIVE_INFINITY
  const complain = (reason: string) => {
    const nowMs = performance.now()
    if (nowMs - loggedAtMs < LOG_EVERY_MS) return
    loggedAtMs = nowMs
    logger.error({ file, dropped, reason }, 'the audit log is not complete')
  }
  destination.on('error', (error: Error) => complain(error.message))
  destination.on('drop', () => {
    dropped += 1
    complain('the disk does not keep up')
  })
  const log: Logger = pino({ base: { server } }, destination)
  const close = () => {
    try {
      destination.flushSync()
    } catch (error) {
      complain(error instanceof Error ? error.message : String(error))
    }
  }
  return { log, close }
}

function opened(file: string): number {
  try {
    return openSync(file, 'a', FILE_MODE)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CodedError('CONFIG_INVALID', `auditFile: ${reason}`)
  }
}

/** A user without an entry in the system's list has a number alone, as in most containers. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    // ENOENT: the number has no name.
    return String(process.getuid?.() ?? 'unknown')
  }
}

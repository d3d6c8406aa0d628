import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { DataEnd } from '../../core/cluster/postgresql-position.ts'

const CONTROL_FILE = join('global', 'pg_control')
/** Copied with a base backup, or written by a rewind; gone once the server has replayed what that needs. */
const BACKUP_LABEL = 'backup_label'
const HISTORY = /^([0-9A-F]{8})\.history$/

/**
 * Where fields of ControlFileData are (src/include/catalog/pg_control.h), in the machine's byte order: the first in
 * all versions, the next ones as of PostgreSQL 11, the last two as far as versions are known.
 */
const OFFSETS = {
  systemIdentifier: 0,
  version: 8,
  state: 16,
  checkPoint: 32,
  timeline: 48,
  minRecoveryPoint: 136,
  minRecoveryTimeline: 144,
}
const SYSTEM_ID_BYTES = 8
const END_BYTES = 148
/** Of PostgreSQL 18. */
const LAST_KNOWN_VERSION = 1_800
/** Shut down, shutting down, in crash recovery, in production: a standby has states of its own. */
const PRIMARY_STATES = [1, 3, 4, 6]

/** The system identifier, in decimal as Patroni has it; null without a control file. */
export function systemIdentifier(directory: string): string | null {
  // A base backup copies this file last: one that is cut short is as good as none.
  const bytes = controlFile(directory, SYSTEM_ID_BYTES)
  return bytes === null ? null : bytes.readBigUInt64LE(OFFSETS.systemIdentifier).toString()
}

/**
 * How far the data of a stopped server goes; null without a control file. What PostgreSQL writes for itself is better
 * than any note of the agent: it is there before the first commit of a timeline is answered.
 */
export function dataEnd(directory: string): DataEnd | null {
  const bytes = controlFile(directory, END_BYTES)
  if (bytes === null) return null
  const isKnown = bytes.readUInt32LE(OFFSETS.version) <= LAST_KNOWN_VERSION
  const replayed = isKnown ? bytes.readBigUInt64LE(OFFSETS.minRecoveryPoint) : 0n
  const replayedTimeline = isKnown ? bytes.readUInt32LE(OFFSETS.minRecoveryTimeline) : 0
  const checkPoint = bytes.readBigUInt64LE(OFFSETS.checkPoint)
  // Right after a promotion the last checkpoint is still one of the timeline before.
  const own = Math.max(bytes.readUInt32LE(OFFSETS.timeline), replayedTimeline)
  const timeline = Math.max(own, lastHistory(directory))
  const isPrimary = PRIMARY_STATES.includes(bytes.readUInt32LE(OFFSETS.state))
  const isCopy = existsSync(join(directory, BACKUP_LABEL))
  return {
    timeline,
    led: isPrimary && !isCopy && own === timeline,
    lsn: replayed > checkPoint ? replayed : checkPoint,
  }
}

/** By Patroni's own rule: hidden files and lost+found do not count. */
export function isEmptyDirectory(directory: string): boolean {
  if (!existsSync(directory)) return true
  return readdirSync(directory).every((name) => name.startsWith('.') || name === 'lost+found')
}

/** The last timeline whose beginning this server knows: who begins or follows one has its history first. */
function lastHistory(directory: string): number {
  const wal = join(directory, 'pg_wal')
  const names = existsSync(wal) ? readdirSync(wal) : []
  const timelines = names.flatMap((name) => HISTORY.exec(name)?.[1] ?? [])
  return Math.max(0, ...timelines.map((timeline) => Number.parseInt(timeline, 16)))
}

/** The first bytes of the control file; null when there are not so many. */
function controlFile(directory: string, length: number): Buffer | null {
  const path = join(directory, CONTROL_FILE)
  if (!existsSync(path)) return null
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(length)
    return readSync(file, bytes, 0, length, 0) === length ? bytes : null
  } finally {
    closeSync(file)
  }
}

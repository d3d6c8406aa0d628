import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

const CONTROL_FILE = join('global', 'pg_control')
const SYSTEM_ID_BYTES = 8

/**
 * The system identifier, in decimal as Patroni has it; null without a control file. The first field of
 * ControlFileData (src/include/catalog/pg_control.h), in the machine's byte order, in all versions.
 */
export function systemIdentifier(directory: string): string | null {
  const path = join(directory, CONTROL_FILE)
  if (!existsSync(path)) return null
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(SYSTEM_ID_BYTES)
    const read = readSync(file, bytes, 0, SYSTEM_ID_BYTES, 0)
    // A base backup copies this file last: one that is cut short is as good as none.
    return read === SYSTEM_ID_BYTES ? bytes.readBigUInt64LE().toString() : null
  } finally {
    closeSync(file)
  }
}

/** By Patroni's own rule: hidden files and lost+found do not count. */
export function isEmptyDirectory(directory: string): boolean {
  if (!existsSync(directory)) return true
  return readdirSync(directory).every((name) => name.startsWith('.') || name === 'lost+found')
}

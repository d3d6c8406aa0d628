import type { OpenRefusal, StorageFault } from './storage.ts'

/** True for an error that means that the disk, or this user's share of it, has no space. */
export function isNoSpace(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** The fault that an error of a write (or of creating, renaming, removing a file) stands for. */
export function writeFault(error: unknown, path: string): StorageFault {
  const code = isNoSpace(error) ? 'DISK_FULL' : 'DISK_WRITE_FAILED'
  return { code, detail: `${path}: ${messageOf(error)}` }
}

/** The fault of a failed fsync: whatever the error, what was written may be lost. */
export function syncFault(error: unknown, path: string): StorageFault {
  return { code: 'DISK_FSYNC_FAILED', detail: `${path}: ${messageOf(error)}` }
}

/** Thrown while the data directory is opened and caught by openStorage. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError'
  readonly refusal: OpenRefusal

  constructor(code: OpenRefusal['code'], file: string, offset: number, detail: string) {
    super(`${code} ${file} at ${offset}: ${detail}`)
    this.refusal = { code, file, offset, detail }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

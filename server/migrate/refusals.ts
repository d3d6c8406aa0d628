import { CodedError } from '../errors.ts'

/** ZooKeeper's files do not hold what they should at this place. */
export function damaged(file: string, offset: number, detail: string): CodedError {
  return new CodedError('MIGRATION_SOURCE_DAMAGED', `${file} at offset ${offset}: ${detail}`)
}

/** What is there is whole, and this build cannot bring it over. */
export function unsupported(file: string, offset: number, detail: string): CodedError {
  return new CodedError('MIGRATION_SOURCE_UNSUPPORTED', `${file} at offset ${offset}: ${detail}`)
}

/** Files that are needed are not there, or cannot be read. */
export function unreadable(detail: string): CodedError {
  return new CodedError('MIGRATION_SOURCE_UNREADABLE', detail)
}

/** The error of a read as one of ours; a coded one stays as it is. */
export function readingError(file: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return unreadable(`${file}: ${reason}`)
}

import type { SnapshotMeta } from '../core/raft/message.ts'
import { JuteWriter } from '../wire/jute.ts'
import { RefusalError } from './fault.ts'
import type { FileSystem } from './file-system.ts'
import { recordSeed } from './record.ts'
import { LogReplay } from './replay.ts'
import {
  isSpareName,
  parseSegmentHeader,
  type Segment,
  type SegmentHeader,
  segmentHeaderBytes,
  sequenceOf,
  writeEnd,
} from './segment.ts'
import type { DiskIdentity } from './storage.ts'
import type { LiveSegment } from './wal.ts'

interface FoundSegment {
  readonly path: string
  readonly header: SegmentHeader
}

interface ReadSegment extends FoundSegment {
  readonly end: number
  readonly startIndex: number | null
  readonly dirty: boolean
}

export interface RecoveredLog {
  readonly replay: LogReplay
  readonly live: readonly LiveSegment[]
  /** The segment to go on in, and where. */
  readonly active: FoundSegment
  readonly end: number
  /** What stands behind `end` has to be wiped before anything is written. */
  readonly dirty: boolean
  /** A formatted segment without records behind the active one. */
  readonly next: FoundSegment | null
  /** Segment files that the log no longer needs. */
  readonly unused: readonly string[]
  /** Records were cut that may have been acknowledged. */
  readonly rot: boolean
}

/**
 * Reads the log's segments. Throws RefusalError where they cannot be what was written. Changes
 * nothing on the disk. `snapshotIndex` is the newest valid snapshot's, 0 for none.
 */
export function recoverLog(
  fileSystem: FileSystem,
  directory: string,
  identity: DiskIdentity,
  snapshotIndex: number,
  notes: string[],
): RecoveredLog {
  const { found, unused, lost } = findSegments(fileSystem, directory, identity, notes)
  const chain = newestChain(found, directory)
  for (const segment of found) if (!chain.includes(segment)) unused.push(segment.path)
  const replay = new LogReplay(snapshotIndex)
  const read: ReadSegment[] = []
  let rot = lost
  for (const segment of chain) {
    const bytes = fileSystem.readFile(segment.path)
    const result = replay.read(asBuffer(bytes), recordSeed(segment.header.segmentId), segment.path)
    // Damage in an earlier segment is harmless once a later one has gone on from there.
    rot = lost || result.rot || (rot && result.startIndex === null)
    read.push({ ...segment, ...result })
    if (!result.dirty) continue
    const words = result.rot ? 'damaged records' : 'a torn write'
    notes.push(`${segment.path}: ${words} at byte ${result.end} and nothing valid behind`)
  }
  const first = read[0]
  if (first === undefined || (first.startIndex === null && first.header.sequence !== 1)) {
    throw new RefusalError(
      'DATA_CORRUPT',
      first?.path ?? directory,
      0,
      'earlier segments are missing',
    )
  }
  const begun = read.filter((segment) => segment.startIndex !== null)
  const active = begun.at(-1) ?? first
  const behind = read.slice(read.indexOf(active) + 1)
  const next = behind[0]?.dirty === false ? behind[0] : null
  for (const segment of behind) if (segment !== next) unused.push(segment.path)
  const live = read.slice(0, read.indexOf(active) + 1).map(({ path, header, startIndex }) => {
    const { sequence, capacity } = header
    return { path, sequence, capacity, startIndex }
  })
  return { replay, live, active, end: active.end, dirty: active.dirty, next, unused, rot }
}

/**
 * What the log and the newest valid snapshot come to together. True: the log does not lead up to
 * the snapshot (it was received from a leader), so it begins anew behind it.
 */
export function isReplacedBySnapshot(
  { replay, live }: RecoveredLog,
  snapshot: SnapshotMeta | null,
): boolean {
  const index = snapshot?.index ?? 0
  if (replay.base.index > index) {
    throw new RefusalError(
      'DATA_CORRUPT',
      live[0]?.path ?? '',
      0,
      `the log begins behind entry ${replay.base.index} and the newest valid snapshot stands at ` +
        `${index}: entries between them are missing`,
    )
  }
  if (snapshot === null) return false
  if (replay.last.index < index) return true
  const term = replay.base.index === index ? replay.base.term : replay.termAtSnapshot
  return term !== null && term !== snapshot.term
}

/** Makes the end of the log durable and clean: an end record, and zeros up to the segment's end. */
export function wipeTail(fileSystem: FileSystem, active: FoundSegment, end: number): void {
  const writer = new JuteWriter()
  writeEnd(writer, end, recordSeed(active.header.segmentId))
  const bytes = new Uint8Array(active.header.capacity - end)
  bytes.set(writer.view())
  const file = fileSystem.open(active.path, false)
  file.writeSync(end, bytes)
  file.syncSync()
  file.close()
}

/**
 * Makes durable what was read. A process that was killed may have left records that are in memory and
 * not yet on the disk: acted upon, and then lost to a power cut, they would be acknowledged entries
 * and votes that are gone (simulation seed 38).
 */
export function syncTail(fileSystem: FileSystem, active: FoundSegment): void {
  const file = fileSystem.open(active.path, false)
  file.syncSync()
  file.close()
}

/** Opens a recovered segment for writing. */
export function openSegment(fileSystem: FileSystem, { path, header }: FoundSegment): Segment {
  const { sequence, capacity, segmentId } = header
  return {
    sequence,
    path,
    capacity,
    seed: recordSeed(segmentId),
    file: fileSystem.open(path, false),
  }
}

/** Names of spare files in the log's directory. */
export function findSpares(fileSystem: FileSystem, directory: string): string[] {
  return fileSystem
    .list(directory)
    .filter(isSpareName)
    .map((name) => `${directory}/${name}`)
}

function findSegments(
  fileSystem: FileSystem,
  directory: string,
  identity: DiskIdentity,
  notes: string[],
): { found: FoundSegment[]; unused: string[]; lost: boolean } {
  const names = fileSystem.list(directory).filter((name) => sequenceOf(name) !== null)
  const found: FoundSegment[] = []
  const unused: string[] = []
  let lost = false
  for (const name of names) {
    const path = `${directory}/${name}`
    if (fileSystem.size(path) === 0 && name === names.at(-1) && names.length > 1) {
      // Legal on file systems that lose a file's size at a crash, but it may have had records.
      notes.push(`${path}: the newest segment is empty; it is made anew`)
      unused.push(path)
      lost = true
      continue
    }
    const header = readHeader(fileSystem, path, identity)
    if (header.sequence === sequenceOf(name)) found.push({ path, header })
    else unused.push(path)
  }
  return { found, unused, lost }
}

function readHeader(fileSystem: FileSystem, path: string, identity: DiskIdentity): SegmentHeader {
  const file = fileSystem.open(path, false)
  const parsed = parseSegmentHeader(file.readSync(0, segmentHeaderBytes))
  file.close()
  if (parsed.kind === 'future') {
    throw new RefusalError('DATA_FUTURE_VERSION', path, 0, `segment format ${parsed.version}`)
  }
  if (parsed.kind === 'damaged') throw new RefusalError('DATA_CORRUPT', path, 0, parsed.detail)
  const { header } = parsed
  const foreign =
    header.memberId !== identity.id ||
    (header.clusterId !== '' && header.clusterId !== identity.clusterId)
  if (foreign) {
    throw new RefusalError(
      'DATA_CORRUPT',
      path,
      0,
      'the segment belongs to another server or cluster',
    )
  }
  const size = fileSystem.size(path)
  if (size !== header.capacity) {
    const detail = `the segment has ${size} bytes instead of ${header.capacity}`
    throw new RefusalError('DATA_CORRUPT', path, Math.min(size, header.capacity), detail)
  }
  return header
}

/**
 * The newest segments without a gap between them. Those below a gap were released, and removed or
 * recycled in another order than the crash kept; whether anything is missing shows where the log
 * begins.
 */
function newestChain(found: readonly FoundSegment[], directory: string): FoundSegment[] {
  const sorted = [...found].sort((a, b) => a.header.sequence - b.header.sequence)
  let from = sorted.length - 1
  while (from > 0) {
    const [before, after] = [sorted[from - 1], sorted[from]]
    if (before?.header.sequence !== (after?.header.sequence ?? 0) - 1) break
    from -= 1
  }
  if (sorted.length === 0) {
    throw new RefusalError('DATA_CORRUPT', directory, 0, 'the log has no segments')
  }
  return sorted.slice(from)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

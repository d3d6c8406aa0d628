import { RefusalError } from './fault.ts'
import type { FileSystem } from './file-system.ts'
import { type StoredIdentity, writeIdentity } from './identity.ts'
import { recordSeed } from './record.ts'
import { LogReplay } from './replay.ts'
import {
  drawSegmentId,
  encodeSegmentStart,
  isSpareName,
  parseSegmentHeader,
  segmentName,
  sequenceOf,
  spareName,
} from './segment.ts'
import { isSnapshotName } from './snapshot-file.ts'

export interface FormatOptions {
  readonly fileSystem: FileSystem
  readonly name: string
  readonly newId: () => string
  readonly random: () => number
  readonly segmentBytes: number
}

const firstSequence = 1
const sliceBytes = 1024 * 1024

/**
 * Makes an empty directory this server's: the first segment, and then the identity, which is the
 * proof that formatting has ended. What an interrupted attempt left is removed; what looks like data
 * without its identity is refused.
 */
export function formatDirectory(
  options: FormatOptions,
  directories: { readonly data: string; readonly log: string; readonly snapshots: string },
): StoredIdentity {
  const { fileSystem } = options
  refuseOrphans(fileSystem, directories)
  for (const name of fileSystem.list(directories.log)) {
    if (isSpareName(name) || sequenceOf(name) !== null) {
      fileSystem.remove(`${directories.log}/${name}`)
    }
  }
  const identity = { clusterId: '', name: options.name, id: options.newId(), abstain: false }
  writeFirstSegment(options, directories.log, identity.id)
  writeIdentity(fileSystem, directories.data, identity)
  return identity
}

function refuseOrphans(
  fileSystem: FileSystem,
  directories: { readonly log: string; readonly snapshots: string },
): void {
  const snapshot = fileSystem.list(directories.snapshots).find(isSnapshotName)
  const orphan =
    snapshot === undefined
      ? fileSystem
          .list(directories.log)
          .find((name) => holdsRecords(fileSystem, directories.log, name))
      : snapshot
  if (orphan === undefined) return
  const directory = snapshot === undefined ? directories.log : directories.snapshots
  const detail = 'there are data and no identity.json that says whose they are'
  throw new RefusalError('DATA_CORRUPT', `${directory}/${orphan}`, 0, detail)
}

/** An interrupted attempt leaves at most the first segment, intact and without a record. */
function holdsRecords(fileSystem: FileSystem, directory: string, name: string): boolean {
  const sequence = sequenceOf(name)
  if (sequence === null) return false
  const path = `${directory}/${name}`
  const bytes = Buffer.from(fileSystem.readFile(path))
  const parsed = parseSegmentHeader(bytes)
  if (sequence !== firstSequence || parsed.kind !== 'intact') return true
  const replayed = new LogReplay(0).read(bytes, recordSeed(parsed.header.segmentId), path)
  return replayed.startIndex !== null || replayed.dirty
}

/** Makes the first segment of a log, durably. */
export function writeFirstSegment(
  options: FormatOptions,
  directory: string,
  memberId: string,
): void {
  const { fileSystem, segmentBytes, random } = options
  const path = `${directory}/${spareName(1)}`
  const file = fileSystem.open(path, true)
  const zeros = new Uint8Array(Math.min(sliceBytes, segmentBytes))
  for (let at = 0; at < segmentBytes; at += zeros.length) {
    file.writeSync(at, zeros.subarray(0, segmentBytes - at))
  }
  const segmentId = drawSegmentId(random)
  const header = {
    capacity: segmentBytes,
    sequence: firstSequence,
    segmentId,
    clusterId: '',
    memberId,
  }
  file.writeSync(0, encodeSegmentStart(header))
  file.syncSync()
  file.close()
  fileSystem.rename(path, `${directory}/${segmentName(firstSequence)}`)
  fileSystem.syncDirectory(directory)
}

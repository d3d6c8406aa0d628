import { randomBytes } from 'node:crypto'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Member } from '../core/raft/message.ts'
import { loadSnapshot } from '../ensemble/snapshots.ts'
import { CodedError } from '../errors.ts'
import { RefusalError } from '../storage/fault.ts'
import type { FileSystem } from '../storage/file-system.ts'
import { openStorage } from '../storage/open-storage.ts'
import { SeededDirectory } from '../storage/seeded-directory.ts'
import type { OpenedStorage, SnapshotWriter, StorageFault } from '../storage/storage.ts'
import { JuteWriter } from '../wire/jute.ts'
import { encodeSnapshotRecord } from '../wire/snapshot-codec.ts'

/** The state stands for the first entry of the log, which is what founds a cluster. */
export const FOUNDING = { index: 1, term: 1 } as const

const RECORDS_AT_ONCE = 64
const BLOCK_BYTES = 1024 * 1024
/** What may lie in a new data directory: a disk's own, and the number of a server of a zoo.cfg. */
const ALLOWED = new Set(['lost+found', 'myid'])

export interface TargetDirectories {
  readonly data: string
  readonly log: string
  readonly snapshots: string
}

export interface TargetOptions {
  readonly fileSystem: FileSystem
  readonly directories: TargetDirectories
  /** The server that founds the cluster. */
  readonly founder: Omit<Member, 'id' | 'role' | 'observer'>
  /** True: the data directory gets a file `myid` with the founder's name, if it has none. */
  readonly numbered: boolean
  readonly segmentBytes: number
}

/** Refuses directories with anything in them that could be data. */
export function refuseContent(fileSystem: FileSystem, directories: TargetDirectories): void {
  for (const path of new Set(Object.values(directories))) {
    const found = guarded(path, () => fileSystem.list(path)).find((name) => !ALLOWED.has(name))
    if (found === undefined) continue
    throw new CodedError('MIGRATION_TARGET_NOT_EMPTY', `${path} is not empty: there is ${found}`)
  }
}

/**
 * Writes the machine's state into empty directories as that of a founder, reads it back as a server would, and compares the
 * two. All of it is durable when the promise resolves, with the cluster's id. Rejects with a CodedError;
 * what was written until then is not data to any server.
 */
export async function writeTarget(options: TargetOptions, machine: StateMachine): Promise<string> {
  const { fileSystem, directories, founder, segmentBytes } = options
  const seeded = guarded(directories.data, () => {
    return new SeededDirectory({
      fileSystem,
      directories,
      name: founder.name,
      newId: () => randomBytes(8).toString('hex'),
      random: Math.random,
      segmentBytes,
    })
  })
  try {
    const members: readonly Member[] = [
      { ...founder, id: seeded.id, role: 'voter', observer: false },
    ]
    await writeState(seeded.snapshot({ ...FOUNDING, members }), machine)
    guarded(directories.data, () => {
      if (options.numbered) writeNumber(options)
      seeded.seal()
    })
  } finally {
    seeded.close()
  }
  await verify(options, machine, seeded.id)
  return seeded.id
}

async function writeState(writer: SnapshotWriter, machine: StateMachine): Promise<void> {
  const cursor = machine.openSnapshot(FOUNDING.index, FOUNDING.term)
  const encoded = new JuteWriter()
  const flush = (): Promise<void> => {
    const chunk = encoded.copy()
    encoded.reset()
    return settled((done) => writer.write(chunk, done))
  }
  for (;;) {
    const records = cursor.next(RECORDS_AT_ONCE)
    if (records === null) break
    for (const record of records) encodeSnapshotRecord(encoded, record)
    if (encoded.length >= BLOCK_BYTES) await flush()
  }
  if (encoded.length > 0) await flush()
  await settled((done) => writer.finish(done))
}

function settled(call: (done: (fault: StorageFault | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((fault) => {
      if (fault === null) resolve()
      else reject(new CodedError(fault.code, fault.detail))
    })
  })
}

function writeNumber({ fileSystem, directories, founder }: TargetOptions): void {
  const path = `${directories.data}/myid`
  if (fileSystem.exists(path)) return
  const file = fileSystem.open(path, true)
  file.writeSync(0, Buffer.from(`${founder.name}\n`))
  file.syncSync()
  file.close()
}

/** Opens the directory as its server will, and gives it the term and the vote of a founder. */
async function verify(options: TargetOptions, machine: StateMachine, id: string): Promise<void> {
  const storage = opened(options)
  try {
    const file = storage.snapshotFile
    const loaded = file === null ? null : loadSnapshot(storage.snapshots, file)
    const same = loaded !== null && 'machine' in loaded && loaded.machine.digest === machine.digest
    if (!same || storage.identity.clusterId !== id) {
      const path = options.directories.data
      throw new CodedError('DATA_CORRUPT', `${path}: what was written does not read back the same`)
    }
    const hardState = { term: FOUNDING.term, votedFor: id, commit: FOUNDING.index }
    await new Promise<void>((resolve) => storage.log.append({ hardState, entries: [] }, resolve))
  } finally {
    await new Promise<void>((resolve) => storage.log.close(resolve))
  }
}

function opened({ fileSystem, directories, founder, segmentBytes }: TargetOptions): OpenedStorage {
  const storage = openStorage({
    fileSystem,
    directory: directories.data,
    logDirectory: directories.log,
    snapshotDirectory: directories.snapshots,
    name: founder.name,
    newId: () => randomBytes(8).toString('hex'),
    random: Math.random,
    schedule: (delayMs, call) => {
      setTimeout(call, delayMs)
    },
    endOfTurn: queueMicrotask,
    segmentBytes,
    snapshotsKept: 1,
    onFault: (fault) => {
      throw new CodedError(fault.code, fault.detail)
    },
  })
  if (!('code' in storage)) return storage
  const { code, file, offset, detail } = storage
  throw new CodedError(code, `${file} at offset ${offset}: ${detail}`)
}

/** Errors of the disk, told with the directory that they speak of. */
function guarded<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (error instanceof CodedError) throw error
    if (error instanceof RefusalError) {
      const { code, file, offset, detail } = error.refusal
      throw new CodedError(code, `${file} at offset ${offset}: ${detail}`)
    }
    const reason = error instanceof Error ? error.message : String(error)
    throw new CodedError('DATA_UNUSABLE', `${path}: ${reason}`)
  }
}

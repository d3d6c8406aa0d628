import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CodedError } from '../errors.ts'
import { damaged, readingError, unreadable, unsupported } from './refusals.ts'
import { replay } from './replay.ts'
import { readSnapshotFile, type SourceSnapshot } from './snapshot-file.ts'
import type { SourceTree } from './source-tree.ts'
import type { Transaction } from './transaction.ts'
import { readTransactionLog } from './transaction-log.ts'
import { TREE_DIGEST_VERSION, treeDigest } from './tree-digest.ts'

const EPOCH = 2 ** 32

export interface SourceDirectories {
  /** ZooKeeper's dataDir and dataLogDir: its files are in `version-2` of each. */
  readonly data: string
  readonly log: string
}

/** What ZooKeeper's files come to. */
export interface Source {
  readonly tree: SourceTree
  readonly lastZxid: number
  /** The newest epoch that the server knew of, whether it has a transaction or not. */
  readonly epoch: number
  /** The newest time of a transaction. */
  readonly timeMs: number
  /** Compared with ZooKeeper's own sum over the tree; null: it kept none of this moment. */
  readonly digestMatches: boolean | null
  readonly snapshotFile: string
  readonly transactions: number
  readonly notes: readonly string[]
}

interface NumberedFile {
  readonly path: string
  readonly zxid: number
}

/**
 * Reads the newest snapshot that is whole and all that the log says after it. Files are opened for
 * reading and nothing else. Rejects with a CodedError.
 */
export async function readSource(directories: SourceDirectories): Promise<Source> {
  const data = join(directories.data, 'version-2')
  const log = join(directories.log, 'version-2')
  const snapshots = numberedFiles(data, 'snapshot').reverse()
  const logs = numberedFiles(log, 'log')
  const before = stateOf([...snapshots, ...logs])
  const source = await restored(snapshots, logs, data)
  const epoch = Math.max(Math.floor(source.lastZxid / EPOCH), epochIn(data))
  if (
    stateOf([...numberedFiles(data, 'snapshot').reverse(), ...numberedFiles(log, 'log')]) !== before
  ) {
    throw new CodedError(
      'MIGRATION_SOURCE_IN_USE',
      `${data}: its files changed while they were read; stop that ZooKeeper server first`,
    )
  }
  return { ...source, epoch }
}

/** `snapshot.<zxid in hex>` (with its compression) and `log.<zxid in hex>`, by zxid. */
function numberedFiles(directory: string, prefix: string): NumberedFile[] {
  const pattern = new RegExp(`^${prefix}\\.([0-9a-f]{1,16})(?:\\.gz|\\.snappy)?$`)
  const files: NumberedFile[] = []
  for (const name of namesIn(directory)) {
    const [, digits] = pattern.exec(name) ?? []
    if (digits === undefined) continue
    const path = join(directory, name)
    const zxid = Number.parseInt(digits, 16)
    if (!Number.isSafeInteger(zxid)) throw unsupported(path, 0, 'its epoch is too high')
    files.push({ path, zxid })
  }
  return files.sort((left, right) => left.zxid - right.zxid)
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    throw readingError(directory, error)
  }
}

function stateOf(files: readonly NumberedFile[]): string {
  return files
    .map(({ path }) => {
      try {
        const { size, mtimeMs } = statSync(path)
        return `${path} ${size} ${mtimeMs}`
      } catch (error) {
        throw readingError(path, error)
      }
    })
    .join('\n')
}

/** Of currentEpoch and acceptedEpoch; 0 where there are none (a standalone server). */
function epochIn(directory: string): number {
  const present = namesIn(directory)
  let newest = 0
  for (const name of ['currentEpoch', 'acceptedEpoch']) {
    if (!present.includes(name)) continue
    const path = join(directory, name)
    let text: string
    try {
      text = readFileSync(path, 'latin1').trim()
    } catch (error) {
      throw readingError(path, error)
    }
    if (!/^\d{1,15}$/.test(text)) throw damaged(path, 0, 'this is no epoch')
    newest = Math.max(newest, Number(text))
  }
  return newest
}

/** The newest snapshot that is whole; damaged ones, as a kill leaves behind, are passed over. */
async function restored(
  snapshots: readonly NumberedFile[],
  logs: readonly NumberedFile[],
  directory: string,
): Promise<Omit<Source, 'epoch'>> {
  const notes: string[] = []
  let firstRefusal: CodedError | null = null
  for (const file of snapshots) {
    let snapshot: SourceSnapshot
    try {
      snapshot = await readSnapshotFile(file.path)
    } catch (error) {
      if (!(error instanceof CodedError && error.code === 'MIGRATION_SOURCE_DAMAGED')) throw error
      firstRefusal ??= error
      notes.push(`the snapshot is passed over: ${error.message}`)
      continue
    }
    const replayed = await new LogReplay(file, snapshot, notes).run(logs)
    if (replayed !== null) return replayed
    const detail = 'the log does not reach to where this snapshot was finished'
    firstRefusal ??= damaged(file.path, 0, detail)
    notes.push(`${file.path}: the snapshot is passed over: ${detail}`)
  }
  if (firstRefusal !== null) throw firstRefusal
  const hint = 'a ZooKeeper without one writes it at its next start'
  throw unreadable(`${directory}: there is no snapshot of ZooKeeper's; ${hint}`)
}

/** Takes a snapshot to the end of the log. */
class LogReplay {
  readonly #file: NumberedFile
  readonly #snapshot: SourceSnapshot
  readonly #notes: string[]
  #zxid: number
  #timeMs = 0
  #transactions = 0
  #digest: Transaction['digest'] = null

  constructor(file: NumberedFile, snapshot: SourceSnapshot, notes: string[]) {
    this.#file = file
    this.#snapshot = snapshot
    this.#notes = notes
    this.#zxid = file.zxid
  }

  /** Null: the snapshot saw transactions that the log does not have, so neither is of one moment. */
  async run(logs: readonly NumberedFile[]): Promise<Omit<Source, 'epoch'> | null> {
    const { tree, digest } = this.#snapshot
    for (const [position, log] of logs.entries()) {
      // All that this file holds lies before the next one begins.
      const next = logs[position + 1]
      if (next !== undefined && next.zxid <= this.#file.zxid + 1) continue
      await this.#readLog(log)
    }
    if (digest !== null && digest.zxid > this.#zxid) return null
    for (const [path, { acl }] of tree.znodes) {
      if (acl === null) throw damaged(this.#file.path, 0, `${path} has an ACL that is not there`)
    }
    return {
      tree,
      lastZxid: this.#zxid,
      timeMs: this.#timeMs,
      digestMatches: this.#compare(),
      snapshotFile: this.#file.path,
      transactions: this.#transactions,
      notes: this.#notes,
    }
  }

  async #readLog(log: NumberedFile): Promise<void> {
    const note = (sentence: string): void => {
      this.#notes.push(sentence)
    }
    for await (const transaction of readTransactionLog(log.path, note)) {
      const { zxid, timeMs, change, digest } = transaction
      this.#timeMs = Math.max(this.#timeMs, timeMs)
      // Of the snapshot, of a file that overlaps the one before, or a request that took no number.
      if (zxid <= this.#zxid) continue
      this.#refuseGap(log, zxid)
      replay(this.#snapshot.tree, transaction)
      this.#transactions += 1
      this.#zxid = zxid
      // A refused request has none, and leaves the tree as it was.
      if (digest !== null || change.kind !== 'nothing') this.#digest = digest
    }
  }

  /** Within an epoch no number is left out, and each epoch begins with its first. */
  #refuseGap(log: NumberedFile, zxid: number): void {
    const last = this.#zxid
    const begins = Math.floor(zxid / EPOCH) > Math.floor(last / EPOCH)
    if (zxid === last + 1 || (begins && zxid % EPOCH <= 1)) return
    const detail = `transactions between 0x${last.toString(16)} and 0x${zxid.toString(16)} are missing`
    throw damaged(log.path, 0, detail)
  }

  /** With the digest of the last transaction, or of the snapshot where that is of the same moment. */
  #compare(): boolean | null {
    const { tree, digest } = this.#snapshot
    const ofSnapshot = this.#transactions === 0 && digest?.zxid === this.#file.zxid ? digest : null
    const known = this.#digest ?? ofSnapshot
    if (known === null || known.version !== TREE_DIGEST_VERSION) return null
    return known.value === treeDigest(tree)
  }
}

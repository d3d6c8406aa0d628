import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '../whole-file.ts'

/** Stays where it is when data is moved aside. */
const OWN_FOLDER = 'agent'
const NOTE_MODE = 0o644
const KEPT = /^(agent|stale-.*|lost\+found)$/
const ASIDE = /^stale-/
/** Notes that speak of the data, and go where it goes. */
const NOTES_OF_DATA = ['founding', 'cluster', 'departed', 'spent'] as const

/**
 * The agent's own notes on a data volume, beside the engine's files: one small JSON file each, durable
 * when a call returns. What lives here goes with the disk, which is the point of the founding mark.
 */
export class MemberDisk {
  readonly #directories: readonly string[]
  readonly #notes: string

  /** `directories`: all that the engine keeps data in; the first carries the notes. */
  constructor(directories: readonly string[]) {
    this.#directories = directories
    this.#notes = join(directories[0] ?? '.', OWN_FOLDER)
  }

  /** The founding mark, null without one. */
  get founding(): string | null {
    return this.#read('founding', 'mark')
  }

  /** The incarnation that was removed for good, null when none was. */
  get departed(): string | null {
    return this.#read('departed', 'incarnation')
  }

  /** The id of the cluster whose data this is, of engines that keep none that can be read; null: none. */
  get cluster(): string | null {
    return this.#read('cluster', 'id')
  }

  /** There is anything of the engine's. */
  get hasData(): boolean {
    return this.#directories.some(
      (directory) => existsSync(directory) && dataIn(directory).length > 0,
    )
  }

  /** The name under which the process that was started last joins, of engines where each has its own; null: none. */
  get instance(): string | null {
    return this.#read('instance', 'name')
  }

  /** The data is of no use to the engine any more: it is given up before the next start. */
  get isSpent(): boolean {
    return existsSync(join(this.#notes, 'spent.json'))
  }

  /** Data that was moved aside is there still, as far as the disk can be read. */
  get hasAside(): boolean {
    try {
      return this.#directories.some((directory) => asideIn(directory).length > 0)
    } catch {
      // What is wrong with it is told by whoever reads the data.
      return false
    }
  }

  /** True while a move aside has begun and not ended: the data is not whole. */
  get isMoving(): boolean {
    return existsSync(join(this.#notes, 'moving.json'))
  }

  writeFounding(mark: string): void {
    this.#write('founding', { mark })
  }

  writeCluster(id: string): void {
    this.#write('cluster', { id })
  }

  writeInstance(name: string): void {
    this.#write('instance', { name })
  }

  clearCluster(): void {
    rmSync(join(this.#notes, 'cluster.json'), { force: true })
    syncDirectory(this.#notes)
  }

  /** What was founded, or filled, is whole. */
  clearFounding(): void {
    rmSync(join(this.#notes, 'founding.json'), { force: true })
    syncDirectory(this.#notes)
  }

  markDeparted(incarnation: string, at: string): void {
    this.#write('departed', { incarnation, at })
  }

  clearDeparted(): void {
    rmSync(join(this.#notes, 'departed.json'), { force: true })
    syncDirectory(this.#notes)
  }

  markSpent(at: string): void {
    this.#write('spent', { at })
  }

  clearSpent(): void {
    rmSync(join(this.#notes, 'spent.json'), { force: true })
    syncDirectory(this.#notes)
  }

  /** Counts the starts of agents on this disk, from 1. */
  countStart(): number {
    const before = Number(this.#read('starts', 'count') ?? 0)
    const count = Number.isSafeInteger(before) && before >= 0 ? before + 1 : 1
    this.#write('starts', { count: String(count) })
    return count
  }

  /**
   * Renames all data into `stale-<stamp>/`. A note made first says that this is under way, so that a
   * crash in the middle leaves no disk that looks whole: `finishMove` goes on. Returns the stamp.
   */
  moveAside(stamp = new Date().toISOString().replace(/[:.]/g, '-')): string {
    this.#write('moving', { stamp })
    this.finishMove()
    return stamp
  }

  /**
   * Removes what was moved aside, but for what was moved by the stamp `kept`, where the volume has room for as much
   * again. `freeBytes`: of the volume with a directory.
   */
  async removeAside(kept: string | null = null, freeBytes = freeBytesOf): Promise<void> {
    for (const directory of this.#directories) {
      const last = `stale-${kept}`
      const names = asideIn(directory)
      for (const name of names.filter((other) => other !== last)) await remove(directory, name)
      if (!names.includes(last)) continue
      const size = await sizeOf(join(directory, last))
      if (size > (await freeBytes(directory))) await remove(directory, last)
    }
  }

  /** Removes all data but the notes, of disks that are worth nothing to the next process. */
  wipe(): void {
    for (const directory of this.#directories) {
      for (const name of dataIn(directory)) {
        rmSync(join(directory, name), { recursive: true, force: true })
      }
      syncDirectory(directory)
    }
  }

  finishMove(): void {
    const stamp = this.#read('moving', 'stamp')
    if (stamp === null) return
    for (const directory of this.#directories) {
      const target = join(directory, `stale-${stamp}`)
      mkdirSync(target, { recursive: true })
      for (const name of dataIn(directory)) renameSync(join(directory, name), join(target, name))
      syncDirectory(target)
      syncDirectory(directory)
    }
    const first = join(this.#directories[0] ?? '.', `stale-${stamp}`)
    for (const note of [...NOTES_OF_DATA, 'moving']) {
      const path = join(this.#notes, `${note}.json`)
      if (existsSync(path)) renameSync(path, join(first, `agent-${note}.json`))
    }
    syncDirectory(this.#notes)
  }

  /** A field of a note as text; null without the note. A note that is not ours throws. */
  #read(note: string, field: string): string | null {
    const path = join(this.#notes, `${note}.json`)
    if (!existsSync(path)) return null
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const text = typeof value === 'object' && value !== null ? Reflect.get(value, field) : null
    if (typeof text !== 'string') throw new Error(`${path} has no ${field}`)
    return text
  }

  #write(note: string, value: object): void {
    const content = Buffer.from(`${JSON.stringify(value)}\n`)
    writeWhole(join(this.#notes, `${note}.json`), content, NOTE_MODE)
    syncDirectory(this.#notes)
    syncDirectory(this.#directories[0] ?? '.')
  }
}

/** The names of what is the engine's. */
function dataIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => !KEPT.test(name))
}

function asideIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => ASIDE.test(name))
}

async function remove(directory: string, name: string): Promise<void> {
  await rm(join(directory, name), { recursive: true, force: true })
  syncDirectory(directory)
}

async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** In bytes, of a file or of all that is in a directory. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path)
  if (!found.isDirectory()) return found.size
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size)
  return total(await Promise.all(sizes))
}

function total(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0)
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

import { existsSync, readFileSync, rmSync } from 'node:fs'
import type { DiskReport } from '../../core/observation.ts'
import { AgentError, messageOf } from '../../errors.ts'
import type { MemberDisk } from '../member-disk.ts'
import { makeSafeToBootstrap, parsePosition, readGrastate } from './grastate.ts'

export interface GaleraDiskOptions {
  readonly disk: MemberDisk
  /** Of MariaDB, below the data volume: nothing else may be in it. */
  readonly dataDirectory: string
  /** Written by the container before it asks for a permit, from `--wsrep-recover`. */
  readonly positionFile: string
}

/** UUID and number of the last transaction. */
export interface DiskPosition {
  readonly uuid: string
  readonly seqno: bigint
}

/** The data of one member: whose it is, where it ends, and what it needs before a start. */
export class GaleraDisk {
  readonly #options: GaleraDiskOptions

  constructor(options: GaleraDiskOptions) {
    this.#options = options
  }

  /**
   * Empty is a disk whose data is nobody's: without Galera's file, in the middle of a copy, found to differ from
   * the others; and that of a founder which never came to serve. What Galera says of how safe it is to begin a
   * cluster from it counts for nothing: it says so of an empty directory too.
   */
  discover(): DiskReport {
    const { disk, dataDirectory } = this.#options
    try {
      if (disk.isMoving) disk.finishMove()
      const uuid = readGrastate(dataDirectory)?.uuid ?? ''
      if (uuid === '' || disk.founding !== null) return { kind: 'empty', founding: null }
      return { kind: 'member', clusterId: uuid, incarnation: '', departed: disk.departed !== null }
    } catch (error) {
      return { kind: 'unreadable', reason: messageOf(error) }
    }
  }

  /** Null while it is not known: of a server that was killed only the server itself can tell. */
  position(): DiskPosition | null {
    const { dataDirectory, positionFile } = this.#options
    const grastate = readGrastate(dataDirectory)
    if (grastate === null || grastate.uuid === '') return null
    if (grastate.seqno !== null) return { uuid: grastate.uuid, seqno: grastate.seqno }
    if (!existsSync(positionFile)) return null
    const recovered = parsePosition(readFileSync(positionFile, 'utf8'))
    return recovered?.uuid === grastate.uuid ? recovered : null
  }

  /** Before the first start of a cluster. What an earlier try of the same left is removed, all else kept. */
  prepareFounding(): void {
    const { disk, dataDirectory } = this.#options
    if (disk.founding !== null) rmSync(dataDirectory, { recursive: true, force: true })
    else if (existsSync(dataDirectory)) disk.moveAside()
    disk.writeFounding('begun')
  }

  /** Before a start that begins the cluster from this data. Throws ENGINE_REFUSED where its end is not known. */
  prepareBootstrap(): void {
    if (this.position() === null) {
      throw new AgentError('ENGINE_REFUSED', 'at which transaction this data ends is not known')
    }
    makeSafeToBootstrap(this.#options.dataDirectory)
  }

  /** Before a start that joins: what a founder left that never came to serve is no data. */
  prepareJoin(): void {
    const { disk, dataDirectory } = this.#options
    if (disk.founding === null) return
    rmSync(dataDirectory, { recursive: true, force: true })
    disk.clearFounding()
  }

  /** The server serves: its data is whole. */
  finish(): void {
    const { disk } = this.#options
    if (disk.founding !== null) disk.clearFounding()
  }
}

import type { Coordination } from '../../coordination/coordination.ts'
import { positionOf } from '../../core/cluster/postgresql-position.ts'
import type { DiskReport } from '../../core/observation.ts'
import { messageOf } from '../../errors.ts'
import type { MemberDisk } from '../member-disk.ts'
import { dataEnd, isEmptyDirectory, systemIdentifier } from './data-directory.ts'

export interface VolumeOptions {
  readonly disk: MemberDisk
  /** PGDATA, the same as the engine's container has. */
  readonly dataDirectory: string
  readonly coordination: Coordination
  /** Where Patroni keeps this cluster in the tree. */
  readonly patroniPath: string
  /** The set has no volumes. */
  readonly volatile: boolean
}

/**
 * The data of one server, and whether it is whole. Data that nobody has finished yet, of a first cluster or of
 * a copy, is no data: it is begun anew. A note on the disk says that it was empty at the last start, until the
 * server has been seen to serve.
 */
export class DataVolume {
  readonly #options: VolumeOptions

  constructor(options: VolumeOptions) {
    this.#options = options
  }

  /** `systemId`: what the tree names; null while that is not known. */
  discover(systemId: string | null): DiskReport {
    const { disk, dataDirectory } = this.#options
    try {
      if (disk.isMoving) disk.finishMove()
      const clusterId = systemIdentifier(dataDirectory)
      // Patroni writes the identifier down as the last step of forming a cluster, and a copy has its control
      // file when all else is there.
      const isWhole = clusterId !== null && (disk.founding === null || clusterId === systemId)
      if (!isWhole) return { kind: 'empty', founding: null }
      return { kind: 'member', clusterId, incarnation: '', departed: false }
    } catch (error) {
      return { kind: 'unreadable', reason: messageOf(error) }
    }
  }

  /** How far the data of the stopped server goes; null without any. */
  position(): string | null {
    const end = dataEnd(this.#options.dataDirectory)
    return end === null ? null : positionOf(end)
  }

  /** True from a start on an empty disk until the server has served. */
  get isBegun(): boolean {
    try {
      return this.#options.disk.founding !== null
    } catch {
      // `discover` tells what is wrong with the notes.
      return false
    }
  }

  /** The server serves. */
  finish(): void {
    if (!this.isBegun) return
    try {
      this.#options.disk.clearFounding()
    } catch {
      // A disk that takes no note: the next look tries again.
    }
  }

  /**
   * Before a start that fills the disk. A founder that comes back after it died on the way finds what it
   * left: data that nobody finished, and an `initialize` that would keep everybody from forming the cluster
   * for good. Nobody else forms one.
   */
  async prepare(): Promise<void> {
    const { disk, dataDirectory, coordination, patroniPath, volatile } = this.#options
    if (systemIdentifier(dataDirectory) !== null || !isEmptyDirectory(dataDirectory)) {
      disk.moveAside()
    }
    if (disk.founding === null) disk.writeFounding('begun')
    if ((await coordination.read(`${patroniPath}/leader`)) !== null) return
    const path = `${patroniPath}/initialize`
    const begun = await coordination.read(path)
    if (begun === null) return
    if (begun.data.length === 0) await coordination.delete(path, begun.version)
    else if (volatile) await this.#forgetCluster()
  }

  /** Of the cluster whose data went with its pods: who was synchronous there says nothing of the next. */
  async #forgetCluster(): Promise<void> {
    const { coordination, patroniPath } = this.#options
    const names = (await coordination.children(patroniPath)) ?? []
    const keys = names.filter((name) => name !== 'members' && name !== 'initialize')
    for (const name of [...keys, 'initialize']) {
      await coordination.delete(`${patroniPath}/${name}`, -1)
    }
  }
}

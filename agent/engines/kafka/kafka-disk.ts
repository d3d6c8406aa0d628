import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DiskReport } from '../../core/observation.ts'
import { messageOf } from '../../errors.ts'
import type { MemberDisk } from '../member-disk.ts'

const FILE = 'meta.properties'

/**
 * What a broker's log directories say of it by their `meta.properties`: one cluster, one broker. A broker
 * that never ran has none. Data of another broker than this pod's is refused: its copies are not ours.
 */
export function discoverKafka(
  disk: MemberDisk,
  directories: readonly string[],
  brokerId: number,
): DiskReport {
  try {
    if (disk.isMoving) disk.finishMove()
    const found = directories
      .map((directory) => join(directory, FILE))
      .filter((path) => existsSync(path))
      .map((path) => propertiesOf(path))
    const [first] = found
    if (first === undefined) return { kind: 'empty', founding: disk.founding }
    const clusters = [...new Set(found.map(({ clusterId }) => clusterId))]
    if (clusters.length > 1) throw new Error(`log directories of ${clusters.join(' and ')}`)
    const stranger = found.find(({ broker }) => broker !== String(brokerId))
    if (stranger !== undefined) {
      throw new Error(`the disk is that of broker ${stranger.broker}, this pod is ${brokerId}`)
    }
    const { clusterId, incarnation } = first
    return { kind: 'member', clusterId, incarnation, departed: disk.departed === incarnation }
  } catch (error) {
    return { kind: 'unreadable', reason: messageOf(error) }
  }
}

interface Properties {
  readonly clusterId: string
  readonly broker: string
  /** With KRaft the id of the disk, which votes as that; else a broker is its id, whatever the disk. */
  readonly incarnation: string
}

function propertiesOf(path: string): Properties {
  const text = readFileSync(path, 'utf8')
  const value = (name: string) =>
    new RegExp(`^${name.replace('.', '\\.')}\\s*=\\s*(.*?)\\s*$`, 'm').exec(text)?.[1]
  const [clusterId, node] = [value('cluster.id'), value('node.id')]
  const broker = node ?? value('broker.id')
  const incarnation = node === undefined ? broker : value('directory.id')
  if (clusterId === undefined || broker === undefined || incarnation === undefined) {
    throw new Error(`${path} names no cluster, no broker or no directory`)
  }
  return { clusterId, broker, incarnation }
}

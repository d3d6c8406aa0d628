import { readSource, type Source, type SourceDirectories } from './source.ts'
import { type Successor, succeed } from './successor.ts'
import { FOUNDING, refuseContent, type TargetOptions, writeTarget } from './target.ts'

export interface MigrationOptions extends TargetOptions {
  readonly from: SourceDirectories
}

/**
 * Brings ZooKeeper's files over into fresh directories whose server founds a cluster with them. What
 * it found and did comes back in sentences. Rejects with a CodedError.
 */
export async function migrate(options: MigrationOptions): Promise<readonly string[]> {
  refuseContent(options.fileSystem, options.directories)
  const source = await readSource(options.from)
  const successor = succeed(source, FOUNDING.index)
  const clusterId = await writeTarget(options, successor.machine)
  return report(source, successor, options, clusterId)
}

function report(
  source: Source,
  { machine, znodes, endedSessions, removedEphemerals }: Successor,
  { directories, founder }: MigrationOptions,
  clusterId: string,
): string[] {
  const hex = (zxid: number): string => `0x${zxid.toString(16)}`
  return [
    ...source.notes.map((note) => `note: ${note}`),
    `read: ${source.snapshotFile} and ${source.transactions} transactions after it`,
    `znodes: ${znodes.all}, of them ${znodes.containers} containers and ${znodes.ttls} with a time to live; ${znodes.quotas} quotas`,
    `bytes: ${machine.tree.approximateDataSize} of paths and data`,
    `sessions: ${endedSessions} ended, ${removedEphemerals} ephemeral znodes removed with them`,
    `zxid: ${hex(source.lastZxid)} was ZooKeeper's last, ${hex(machine.lastZxid)} is the last now`,
    `digest: ${digestSentence(source.digestMatches)}`,
    `written: ${directories.data}, read back and the same: server ${founder.name} of cluster ${clusterId}`,
  ]
}

function digestSentence(matches: boolean | null): string {
  if (matches === null) return 'ZooKeeper kept none to compare with'
  return matches
    ? 'the tree is the one that ZooKeeper had'
    : 'WARNING: it differs from what ZooKeeper noted; compare with another server of that ensemble'
}

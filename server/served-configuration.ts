import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Settings } from './config/schema.ts'
import type { ServedConfiguration } from './listener/word-context.ts'

/** What this server tells of its settings under ZooKeeper's names. */
export function servedConfiguration(settings: Settings): ServedConfiguration {
  const { dataDirectory, logDirectory, snapshotDirectory } = settings
  return {
    clientPort: settings.clientPort === 0 ? -1 : settings.clientPort,
    secureClientPort: settings.secureClientPort === 0 ? -1 : settings.secureClientPort,
    dataDirectory: resolve(snapshotDirectory === '' ? dataDirectory : snapshotDirectory),
    logDirectory: resolve(logDirectory === '' ? dataDirectory : logDirectory),
    listenBacklog: settings.listenBacklog,
    tickMs: Math.round(settings.sessionTimeoutMsMin / 2),
    connectionsPerAddressMax: settings.connectionsPerAddressMax,
    sessionTimeoutMsMin: settings.sessionTimeoutMsMin,
    sessionTimeoutMsMax: settings.sessionTimeoutMsMax,
    electionTimeoutMs: settings.electionTimeoutMs,
    peerPort: settings.peerPort,
  }
}

/** Bytes of the files in the directories of snapshots and of the log; a few dozen files. */
export function directorySizes(settings: Settings): { dataBytes: number; logBytes: number } {
  const { dataDirectory, logDirectory } = servedConfiguration(settings)
  return { dataBytes: bytesIn(dataDirectory), logBytes: bytesIn(logDirectory) }
}

function bytesIn(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isFile()) continue
    // A file may be renamed or removed while they are counted.
    bytes += statSync(join(directory, entry.name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

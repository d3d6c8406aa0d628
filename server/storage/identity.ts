import { crc32 } from 'node:zlib'
import { assert } from '../core/assert.ts'
import { RefusalError } from './fault.ts'
import type { FileSystem } from './file-system.ts'
import type { DiskIdentity } from './storage.ts'

/** What the identity file keeps: who owns the disk, and whether it has to abstain from elections. */
export interface StoredIdentity extends DiskIdentity {
  readonly abstain: boolean
}

const identityName = 'identity.json'
const temporaryName = 'identity.json.tmp'
const identityVersion = 1

/** One line of JSON and one with its CRC32 in hex: readable by people, and no byte may change. */
function encodeIdentity(identity: StoredIdentity): Uint8Array {
  const { clusterId, name, id, abstain } = identity
  const line = `${JSON.stringify({ format: identityVersion, clusterId, name, id, abstain })}\n`
  return Buffer.from(`${line}${checksum(line)}\n`)
}

/** Replaces the identity file; on return it is durable. */
export function writeIdentity(
  fileSystem: FileSystem,
  directory: string,
  identity: StoredIdentity,
): void {
  const temporary = `${directory}/${temporaryName}`
  if (fileSystem.exists(temporary)) fileSystem.remove(temporary)
  const file = fileSystem.open(temporary, true)
  file.writeSync(0, encodeIdentity(identity))
  file.syncSync()
  file.close()
  fileSystem.rename(temporary, `${directory}/${identityName}`)
  fileSystem.syncDirectory(directory)
}

/** The identity, or null where there is none. Throws RefusalError for a damaged or newer one. */
export function readIdentity(fileSystem: FileSystem, directory: string): StoredIdentity | null {
  const path = `${directory}/${identityName}`
  if (!fileSystem.exists(path)) return null
  const bytes = Buffer.from(fileSystem.readFile(path))
  const line = bytes.subarray(0, bytes.indexOf('\n') + 1).toString()
  if (!bytes.equals(Buffer.from(`${line}${checksum(line)}\n`))) {
    throw new RefusalError('DATA_CORRUPT', path, 0, 'the checksum of the identity does not match')
  }
  const value: unknown = JSON.parse(line)
  assert(typeof value === 'object' && value !== null, 'an identity with its checksum is an object')
  const fields = new Map(Object.entries(value))
  const format = Number(fields.get('format'))
  if (format > identityVersion) {
    const detail = `identity format ${format}: run the version that wrote it, or a later one`
    throw new RefusalError('DATA_FUTURE_VERSION', path, 0, detail)
  }
  return {
    clusterId: String(fields.get('clusterId')),
    name: String(fields.get('name')),
    id: String(fields.get('id')),
    abstain: fields.get('abstain') === true,
  }
}

function checksum(line: string): string {
  return crc32(line).toString(16).padStart(8, '0')
}

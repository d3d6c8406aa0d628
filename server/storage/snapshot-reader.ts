import { crc32 } from 'node:zlib'
import { RefusalError } from './fault.ts'
import type { FileSystem } from './file-system.ts'
import { blockHeaderBytes } from './snapshot-file.ts'

/**
 * The contents of a snapshot's blocks, in order. The file was verified as a whole when it was opened
 * or received; damage since then throws RefusalError, and the next start skips the file.
 */
export function* readBlocks(fileSystem: FileSystem, path: string): Generator<Uint8Array> {
  const file = fileSystem.open(path, false)
  try {
    const prefix = Buffer.from(file.readSync(0, 16))
    let at = 16 + prefix.readUInt32BE(12) + 4
    for (;;) {
      const head = Buffer.from(file.readSync(at, blockHeaderBytes))
      const length = head.length < blockHeaderBytes ? -1 : head.readUInt32BE(0)
      if (length === 0) return
      const content = length > 0 ? file.readSync(at + blockHeaderBytes, length) : new Uint8Array(0)
      if (content.length !== length || crc32(content) !== head.readUInt32BE(4)) {
        throw new RefusalError('DATA_CORRUPT', path, at, 'a block of the snapshot is damaged')
      }
      yield content
      at += blockHeaderBytes + length
    }
  } finally {
    file.close()
  }
}

import { closeSync, openSync, readSync } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { uncompress } from 'snappyjs'
import { ByteWindow } from './byte-window.ts'
import { damaged, readingError } from './refusals.ts'

const SNAPPY_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
/** The magic, a version and the least version that can read it. */
const SNAPPY_HEADER_BYTES = 16
/** Far above the 32 KiB blocks that ZooKeeper's library writes. */
const SNAPPY_BLOCK_BYTES_MAX = 16 * 1024 * 1024
const READ_BYTES = 256 * 1024

/**
 * The content of a file of ZooKeeper's in pieces, decompressed as the end of its name says
 * (snapshot.compression.method: `.gz`, `.snappy`). Rejects with a CodedError.
 */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  if (path.endsWith('.gz')) yield* gunzipped(path)
  else if (path.endsWith('.snappy')) yield* unsnapped(path)
  else yield* pieces(path)
}

/** Nothing else goes on while files are migrated: reading waits for the disk. */
function* pieces(path: string): Generator<Uint8Array> {
  let file = -1
  try {
    file = openSync(path, 'r')
    for (;;) {
      const bytes = Buffer.allocUnsafeSlow(READ_BYTES)
      const count = readSync(file, bytes)
      if (count === 0) return
      yield bytes.subarray(0, count)
    }
  } catch (error) {
    throw readingError(path, error)
  } finally {
    if (file !== -1) closeSync(file)
  }
}

async function* gunzipped(path: string): AsyncGenerator<Uint8Array> {
  const file = Readable.from(pieces(path))
  const content = createGunzip({ chunkSize: READ_BYTES })
  file.on('error', (error) => content.destroy(error))
  let position = 0
  try {
    for await (const chunk of file.pipe(content)) {
      position += (chunk as Buffer).length
      yield chunk as Buffer
    }
  } catch (error) {
    const compression = error instanceof Error && 'code' in error && /^Z_/.test(String(error.code))
    if (!compression) throw readingError(path, error)
    throw damaged(path, position, `the compression is damaged: ${error.message}`)
  } finally {
    file.destroy()
  }
}

/** snappy-java's stream: a header, then blocks, each with its compressed length before it. */
async function* unsnapped(path: string): AsyncGenerator<Uint8Array> {
  const file = new ByteWindow(path, pieces(path))
  const header = await file.take(SNAPPY_HEADER_BYTES)
  if (!header.subarray(0, SNAPPY_MAGIC.length).equals(SNAPPY_MAGIC)) {
    throw damaged(path, 0, 'this is no snappy stream')
  }
  while (await file.has(1)) {
    const at = file.position
    const length = (await file.take(4)).readInt32BE(0)
    if (length <= 0 || length > SNAPPY_BLOCK_BYTES_MAX) {
      throw damaged(path, at, 'the length of a snappy block makes no sense')
    }
    yield unsnap(path, at, await file.take(length))
  }
}

function unsnap(path: string, at: number, block: Uint8Array): Uint8Array {
  try {
    return uncompress(block, SNAPPY_BLOCK_BYTES_MAX)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw damaged(path, at, `a snappy block is damaged: ${reason}`)
  }
}

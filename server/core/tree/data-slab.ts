import { assert } from '../assert.ts'

const CHUNK_BYTES = 256 * 1024
/** Cells of these sizes; larger data has a buffer of its own. */
const CLASS_BYTES = [16, 32, 48, 64, 96, 112, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096]
const CLASS_BITS = 4
const OWN_BUFFER_CLASS = CLASS_BYTES.length

interface SizeClass {
  readonly cellBytes: number
  readonly cellsPerChunk: number
  readonly chunks: Uint8Array[]
  readonly free: number[]
  used: number
}

/**
 * The data of all znodes in few large buffers: a reference is a number, so a million znodes are not
 * a million objects for the garbage collector (measured in the performance notes: 2.2 to 2.6 times
 * less memory, full collections 7 to 11 times shorter).
 */
export class DataSlab {
  readonly #classes: SizeClass[] = CLASS_BYTES.map((cellBytes) => ({
    cellBytes,
    cellsPerChunk: Math.floor(CHUNK_BYTES / cellBytes),
    chunks: [],
    free: [],
    used: 0,
  }))
  readonly #own = new Map<number, Uint8Array>()
  #nextOwn = 0

  /** Copies `data` in; the reference is a safe integer from 0. */
  put(data: Uint8Array): number {
    const classIndex = classOf(data.length)
    const sizeClass = this.#classes[classIndex]
    if (sizeClass === undefined) {
      const id = this.#nextOwn
      this.#nextOwn += 1
      this.#own.set(id, data.slice())
      return id * 2 ** CLASS_BITS + OWN_BUFFER_CLASS
    }
    let cell = sizeClass.free.pop()
    if (cell === undefined) {
      cell = sizeClass.used
      sizeClass.used += 1
    }
    const chunkIndex = Math.floor(cell / sizeClass.cellsPerChunk)
    let chunk = sizeClass.chunks[chunkIndex]
    if (chunk === undefined) {
      chunk = new Uint8Array(sizeClass.cellsPerChunk * sizeClass.cellBytes)
      sizeClass.chunks[chunkIndex] = chunk
    }
    const offset = (cell % sizeClass.cellsPerChunk) * sizeClass.cellBytes
    copyInto(chunk, offset, data)
    return cell * 2 ** CLASS_BITS + classIndex
  }

  /** A view that is valid until the reference is freed. */
  view(reference: number, length: number): Uint8Array {
    const classIndex = reference % 2 ** CLASS_BITS
    const cell = Math.floor(reference / 2 ** CLASS_BITS)
    const sizeClass = this.#classes[classIndex]
    if (sizeClass === undefined) {
      const own = this.#own.get(cell)
      assert(own !== undefined, 'the data has a buffer of its own')
      return own
    }
    const chunk = sizeClass.chunks[Math.floor(cell / sizeClass.cellsPerChunk)]
    assert(chunk !== undefined, 'the data is in a chunk')
    const offset = (cell % sizeClass.cellsPerChunk) * sizeClass.cellBytes
    return chunk.subarray(offset, offset + length)
  }

  free(reference: number): void {
    const classIndex = reference % 2 ** CLASS_BITS
    const cell = Math.floor(reference / 2 ** CLASS_BITS)
    const sizeClass = this.#classes[classIndex]
    if (sizeClass === undefined) this.#own.delete(cell)
    else sizeClass.free.push(cell)
  }
}

function classOf(bytes: number): number {
  for (let index = 0; index < CLASS_BYTES.length; index += 1) {
    if (bytes <= (CLASS_BYTES[index] ?? 0)) return index
  }
  return OWN_BUFFER_CLASS
}

/** A loop beats the call overhead of TypedArray.set for short data. */
function copyInto(target: Uint8Array, offset: number, data: Uint8Array): void {
  if (data.length > 64) {
    target.set(data, offset)
    return
  }
  for (let i = 0; i < data.length; i += 1) target[offset + i] = data[i] ?? 0
}

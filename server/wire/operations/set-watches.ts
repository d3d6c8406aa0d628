import type { JuteReader, JuteWriter } from '../jute.ts'
import { Opcode } from '../opcode.ts'
import { readStrings, writeStrings } from '../records.ts'

/** The watches of a client that came back, and the newest zxid it had seen (reference B5.7). */
export interface SetWatches {
  readonly relativeZxid: number
  readonly data: readonly string[]
  readonly exist: readonly string[]
  readonly child: readonly string[]
  /** Empty in setWatches, which cannot carry them. */
  readonly persistent: readonly string[]
  readonly persistentRecursive: readonly string[]
}

/** Body of setWatches (101) and setWatches2 (105). The reply has no body. */
export function readSetWatches(reader: JuteReader, opcode: number): SetWatches {
  const two = opcode === Opcode.setWatches2
  return {
    relativeZxid: reader.longClamped(),
    data: readStrings(reader),
    exist: readStrings(reader),
    child: readStrings(reader),
    persistent: two ? readStrings(reader) : [],
    persistentRecursive: two ? readStrings(reader) : [],
  }
}

export function writeSetWatches(writer: JuteWriter, opcode: number, watches: SetWatches): void {
  writer.long(watches.relativeZxid)
  writeStrings(writer, watches.data)
  writeStrings(writer, watches.exist)
  writeStrings(writer, watches.child)
  if (opcode !== Opcode.setWatches2) return
  writeStrings(writer, watches.persistent)
  writeStrings(writer, watches.persistentRecursive)
}

import type { JuteReader, JuteWriter } from '../jute.ts'
import type { ReadOf, ReadResultOf } from '../read.ts'
import { readStat, readStrings, writeStat, writeStrings } from '../records.ts'

/** Body of getChildren2 (12): path, watch. */
export function readGetChildren2(reader: JuteReader): ReadOf<'getChildren2'> {
  return { kind: 'getChildren2', path: reader.string(), watch: reader.boolean() }
}

export function writeGetChildren2(writer: JuteWriter, read: ReadOf<'getChildren2'>): void {
  writer.ustring(read.path)
  writer.boolean(read.watch)
}

/** Names, in no particular order, and the Stat of the parent. */
export function writeGetChildren2Reply(
  writer: JuteWriter,
  result: ReadResultOf<'getChildren2'>,
): void {
  writeStrings(writer, result.children)
  writeStat(writer, result.stat)
}

export function readGetChildren2Reply(reader: JuteReader): ReadResultOf<'getChildren2'> {
  return { kind: 'getChildren2', children: readStrings(reader), stat: readStat(reader) }
}

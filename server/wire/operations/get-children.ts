import type { JuteReader, JuteWriter } from '../jute.ts'
import type { ReadOf, ReadResultOf } from '../read.ts'
import { readStrings, writeStrings } from '../records.ts'

/** Body of getChildren (8): path, watch. */
export function readGetChildren(reader: JuteReader): ReadOf<'getChildren'> {
  return { kind: 'getChildren', path: reader.string(), watch: reader.boolean() }
}

export function writeGetChildren(writer: JuteWriter, read: ReadOf<'getChildren'>): void {
  writer.ustring(read.path)
  writer.boolean(read.watch)
}

/** Names, in no particular order. */
export function writeGetChildrenReply(
  writer: JuteWriter,
  result: ReadResultOf<'getChildren'>,
): void {
  writeStrings(writer, result.children)
}

export function readGetChildrenReply(reader: JuteReader): ReadResultOf<'getChildren'> {
  return { kind: 'getChildren', children: readStrings(reader) }
}

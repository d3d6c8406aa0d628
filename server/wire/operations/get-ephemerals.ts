import type { JuteReader, JuteWriter } from '../jute.ts'
import type { ReadOf, ReadResultOf } from '../read.ts'
import { readStrings, writeStrings } from '../records.ts'

/** Body of getEphemerals (103): the prefix; null means all, as '' does. */
export function readGetEphemerals(reader: JuteReader): ReadOf<'getEphemerals'> {
  return { kind: 'getEphemerals', prefix: reader.ustring() ?? '' }
}

export function writeGetEphemerals(writer: JuteWriter, read: ReadOf<'getEphemerals'>): void {
  writer.ustring(read.prefix)
}

export function writeGetEphemeralsReply(
  writer: JuteWriter,
  result: ReadResultOf<'getEphemerals'>,
): void {
  writeStrings(writer, result.paths)
}

export function readGetEphemeralsReply(reader: JuteReader): ReadResultOf<'getEphemerals'> {
  return { kind: 'getEphemerals', paths: readStrings(reader) }
}

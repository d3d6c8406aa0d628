import type { JuteReader, JuteWriter } from '../jute.ts'
import type { ReadOf, ReadResultOf } from '../read.ts'
import { readStat, writeStat } from '../records.ts'

/** Body of exists (3): path, watch. */
export function readExists(reader: JuteReader): ReadOf<'exists'> {
  return { kind: 'exists', path: reader.string(), watch: reader.boolean() }
}

export function writeExists(writer: JuteWriter, read: ReadOf<'exists'>): void {
  writer.ustring(read.path)
  writer.boolean(read.watch)
}

export function writeExistsReply(writer: JuteWriter, result: ReadResultOf<'exists'>): void {
  writeStat(writer, result.stat)
}

export function readExistsReply(reader: JuteReader): ReadResultOf<'exists'> {
  return { kind: 'exists', stat: readStat(reader) }
}

import type { JuteReader, JuteWriter } from '../jute.ts'
import type { ReadOf, ReadResultOf } from '../read.ts'
import { readStat, writeStat } from '../records.ts'

/** Body of getData (4): path, watch. */
export function readGetData(reader: JuteReader): ReadOf<'getData'> {
  return { kind: 'getData', path: reader.string(), watch: reader.boolean() }
}

export function writeGetData(writer: JuteWriter, read: ReadOf<'getData'>): void {
  writer.ustring(read.path)
  writer.boolean(read.watch)
}

export function writeGetDataReply(writer: JuteWriter, result: ReadResultOf<'getData'>): void {
  writer.buffer(result.data)
  writeStat(writer, result.stat)
}

/** The data is a view into the input. */
export function readGetDataReply(reader: JuteReader): ReadResultOf<'getData'> {
  return { kind: 'getData', data: reader.buffer(), stat: readStat(reader) }
}

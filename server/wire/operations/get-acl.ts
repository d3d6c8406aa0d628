import type { JuteReader, JuteWriter } from '../jute.ts'
import type { ReadOf, ReadResultOf } from '../read.ts'
import { readAcl, readStat, writeAcl, writeStat } from '../records.ts'

/** Body of getACL (6): path. */
export function readGetAcl(reader: JuteReader): ReadOf<'getAcl'> {
  return { kind: 'getAcl', path: reader.string() }
}

export function writeGetAcl(writer: JuteWriter, read: ReadOf<'getAcl'>): void {
  writer.ustring(read.path)
}

export function writeGetAclReply(writer: JuteWriter, result: ReadResultOf<'getAcl'>): void {
  writeAcl(writer, result.acl)
  writeStat(writer, result.stat)
}

export function readGetAclReply(reader: JuteReader): ReadResultOf<'getAcl'> {
  return { kind: 'getAcl', acl: readAcl(reader), stat: readStat(reader) }
}

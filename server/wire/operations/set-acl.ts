import type { Operation, OperationResult } from '../../core/machine/operation.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'
import { readAcl, readStat, writeAcl, writeStat } from '../records.ts'

type SetAcl = Extract<Operation, { kind: 'setAcl' }>
type SetAclResult = Extract<OperationResult, { kind: 'setAcl' }>

/** Body of setACL (7): path (null is empty), acl, version (compared to the aversion). */
export function readSetAcl(reader: JuteReader): SetAcl {
  return {
    kind: 'setAcl',
    path: reader.ustring() ?? '',
    acl: readAcl(reader),
    version: reader.int(),
  }
}

export function writeSetAcl(writer: JuteWriter, operation: SetAcl): void {
  writer.ustring(operation.path)
  writeAcl(writer, operation.acl)
  writer.int(operation.version)
}

export function writeSetAclReply(writer: JuteWriter, result: SetAclResult): void {
  writeStat(writer, result.stat)
}

export function readSetAclReply(reader: JuteReader): SetAclResult {
  return { kind: 'setAcl', stat: readStat(reader) }
}

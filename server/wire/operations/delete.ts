import type { Operation } from '../../core/machine/operation.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'
import { UNREADABLE } from './create.ts'

type Delete = Extract<Operation, { kind: 'delete' }>

/** Body of delete (2): path, version (-1 any); a null path takes its zxid and fails. No body in reply. */
export function readDelete(reader: JuteReader): Operation {
  const path = reader.ustring()
  const version = reader.int()
  return path === null ? UNREADABLE : { kind: 'delete', path, version }
}

export function writeDelete(writer: JuteWriter, operation: Delete): void {
  writer.ustring(operation.path)
  writer.int(operation.version)
}

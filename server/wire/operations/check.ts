import type { Operation } from '../../core/machine/operation.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'

type Check = Extract<Operation, { kind: 'check' }>

/** Body of check (13): path, version (-1 any). The reply has no body. */
export function readCheck(reader: JuteReader): Check {
  return { kind: 'check', path: reader.string(), version: reader.int() }
}

export function writeCheck(writer: JuteWriter, operation: Check): void {
  writer.ustring(operation.path)
  writer.int(operation.version)
}

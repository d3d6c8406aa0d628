import type { Operation } from '../../core/machine/operation.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'

type Delete = Extract<Operation, { kind: 'delete' }>

/** Body of delete (2): path, version (-1 any). The reply has no body. */
export function readDelete(reader: JuteReader): Delete {
  return { kind: 'delete', path: reader.string(), version: reader.int() }
}

export function writeDelete(writer: JuteWriter, operation: Delete): void {
  writer.ustring(operation.path)
  writer.int(operation.version)
}

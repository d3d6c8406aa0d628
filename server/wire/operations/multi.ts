import { assert } from '../../core/assert.ts'
import type { Operation, OperationResult } from '../../core/machine/operation.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'
import { Opcode } from '../opcode.ts'
import { readMultiHeader, toErrorCode, writeMultiHeader } from '../records.ts'
import { readCheck, writeCheck } from './check.ts'
import {
  createOpcode,
  readCreate,
  readCreateReply,
  UNREADABLE,
  writeCreate,
  writeCreateReply,
} from './create.ts'
import { readDelete, writeDelete } from './delete.ts'
import { readSetData, readSetDataReply, writeSetData, writeSetDataReply } from './set-data.ts'

type Multi = Extract<Operation, { kind: 'multi' }>
type MultiResult = Extract<OperationResult, { kind: 'multi' }>

/**
 * Body of multi (14): {header, body}* and an end header. Reads or unknown types inside fail the whole
 * (reference B4). A create with bad flags stands inside as an error operation. Data are views.
 */
export function readMulti(reader: JuteReader): Multi {
  const operations: Operation[] = []
  while (!reader.failed) {
    const header = readMultiHeader(reader)
    if (header.done) break
    const operation = readItem(reader, header.type)
    if (operation === UNREADABLE) reader.fail()
    operations.push(operation)
  }
  return { kind: 'multi', operations }
}

export function writeMulti(writer: JuteWriter, multi: Multi): void {
  for (const operation of multi.operations) writeItem(writer, operation)
  writeMultiHeader(writer, -1, true, -1)
}

/**
 * The reply. In a failed multi every result is an error: 0 before the failing operation, its code,
 * then -2; the reply header's err stays 0 all the same (reference B4).
 */
export function writeMultiReply(writer: JuteWriter, multi: MultiResult): void {
  for (const result of multi.results) writeItemReply(writer, result)
  writeMultiHeader(writer, -1, true, -1)
}

export function readMultiReply(reader: JuteReader): MultiResult {
  const results: OperationResult[] = []
  while (!reader.failed) {
    const header = readMultiHeader(reader)
    if (header.done) break
    results.push(readItemReply(reader, header.type))
  }
  return { kind: 'multi', results }
}

/** Every item begins with its path. One that is null cannot be read in ZooKeeper, whatever the item. */
const NULL_PATH = new Uint8Array([0xff, 0xff, 0xff, 0xff])

function readItem(reader: JuteReader, type: number): Operation {
  if (reader.consume(NULL_PATH)) reader.fail()
  switch (type) {
    case Opcode.create:
    case Opcode.create2:
    case Opcode.createContainer:
    case Opcode.createTtl:
      return readCreate(reader, type, true)
    case Opcode.delete:
      return readDelete(reader)
    case Opcode.setData:
      return readSetData(reader)
    case Opcode.check:
      return readCheck(reader)
    default:
      reader.fail()
      return { kind: 'check', path: '', version: 0 }
  }
}

function writeItem(writer: JuteWriter, operation: Operation): void {
  switch (operation.kind) {
    case 'create': {
      const opcode = createOpcode(operation)
      writeMultiHeader(writer, opcode, false, -1)
      writeCreate(writer, opcode, operation)
      break
    }
    case 'delete':
      writeMultiHeader(writer, Opcode.delete, false, -1)
      writeDelete(writer, operation)
      break
    case 'setData':
      writeMultiHeader(writer, Opcode.setData, false, -1)
      writeSetData(writer, operation)
      break
    case 'check':
      writeMultiHeader(writer, Opcode.check, false, -1)
      writeCheck(writer, operation)
      break
    default:
      assert(false, `a multi carries no ${operation.kind}`)
  }
}

function writeItemReply(writer: JuteWriter, result: OperationResult): void {
  switch (result.kind) {
    case 'create': {
      const opcode = result.stat === null ? Opcode.create : Opcode.create2
      writeMultiHeader(writer, opcode, false, 0)
      writeCreateReply(writer, opcode, result)
      break
    }
    case 'setData':
      writeMultiHeader(writer, Opcode.setData, false, 0)
      writeSetDataReply(writer, result)
      break
    case 'delete':
      writeMultiHeader(writer, Opcode.delete, false, 0)
      break
    case 'check':
      writeMultiHeader(writer, Opcode.check, false, 0)
      break
    case 'error':
      writeMultiHeader(writer, Opcode.error, false, result.code)
      writer.int(result.code)
      break
    default:
      assert(false, `a multi gives no ${result.kind}`)
  }
}

function readItemReply(reader: JuteReader, type: number): OperationResult {
  switch (type) {
    case Opcode.create:
    case Opcode.create2:
    case Opcode.createContainer:
    case Opcode.createTtl:
      return readCreateReply(reader, type)
    case Opcode.setData:
      return readSetDataReply(reader)
    case Opcode.delete:
      return { kind: 'delete' }
    case Opcode.check:
      return { kind: 'check' }
    case Opcode.error:
      return { kind: 'error', code: toErrorCode(reader.int()) }
    default:
      reader.fail()
      return { kind: 'none' }
  }
}

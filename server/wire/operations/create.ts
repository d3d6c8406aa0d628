import { assert } from '../../core/assert.ts'
import { ErrorCode } from '../../core/machine/error-code.ts'
import type { CreateMode, Operation, OperationResult } from '../../core/machine/operation.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'
import { Opcode } from '../opcode.ts'
import { readAcl, readStat, writeAcl, writeStat } from '../records.ts'

type Create = Extract<Operation, { kind: 'create' }>
type CreateResult = Extract<OperationResult, { kind: 'create' }>

interface Flags {
  readonly mode: CreateMode
  readonly sequential: boolean
}

/** The create flags of the wire, by number (reference B3). */
const FLAGS: readonly Flags[] = [
  { mode: 'persistent', sequential: false },
  { mode: 'ephemeral', sequential: false },
  { mode: 'persistent', sequential: true },
  { mode: 'ephemeral', sequential: true },
  { mode: 'container', sequential: false },
  { mode: 'ttl', sequential: false },
  { mode: 'ttl', sequential: true },
]
/** The longest ttl: ZooKeeper keeps it in 40 bits (reference B6). */
const TTL_MS_MAX = 2 ** 40 - 1
const BAD_FLAGS: Operation = { kind: 'error', code: ErrorCode.badArguments }
/** Takes its zxid and fails: what ZooKeeper finds out of a write only after it gave it one. */
export const UNREADABLE: Operation = { kind: 'error', code: ErrorCode.marshallingError }

/**
 * Body of create (1), create2 (15), createContainer (19) and createTTL (21). Flags that do not fit
 * the opcode, and a ttl outside 1..2^40 - 1, are no marshalling error but a write that takes its
 * zxid and fails with badArguments; so is a null path, with marshallingError; in a multi
 * so are flags that do not fit. The data is a view into the input.
 */
export function readCreate(reader: JuteReader, opcode: number, inMulti = false): Operation {
  const path = reader.ustring()
  const data = reader.buffer()
  const acl = readAcl(reader)
  const number = reader.int()
  const withTtl = opcode === Opcode.createTtl
  const ttlMs = withTtl ? reader.longOr(-1) : 0
  const flags = flagsFor(opcode, number, inMulti)
  if (inMulti && flags === undefined) return UNREADABLE
  if (flags === undefined || (withTtl && (ttlMs < 1 || ttlMs > TTL_MS_MAX))) return BAD_FLAGS
  if (path === null) return UNREADABLE
  const { mode, sequential } = flags
  // In a multi it is the flag that makes a container, and a container's result has its Stat.
  const withStat = opcode !== Opcode.create || mode === 'container'
  return { kind: 'create', path, data, acl, mode, sequential, ttlMs, withStat }
}

/**
 * Writes the body for `opcode`. The caller picks an opcode that can carry the mode: see `createOpcode`.
 */
export function writeCreate(writer: JuteWriter, opcode: number, operation: Create): void {
  const { mode, sequential } = operation
  const flags = FLAGS.findIndex((known) => known.mode === mode && known.sequential === sequential)
  assert(flags >= 0, 'a container is never sequential on the wire')
  writer.ustring(operation.path)
  writer.buffer(operation.data)
  writeAcl(writer, operation.acl)
  writer.int(flags)
  if (opcode === Opcode.createTtl) writer.long(operation.ttlMs)
}

/** The opcode that carries this creation, as the Java client picks it. */
export function createOpcode(operation: Create): number {
  if (operation.mode === 'ttl') return Opcode.createTtl
  if (operation.mode === 'container') return Opcode.createContainer
  return operation.withStat ? Opcode.create2 : Opcode.create
}

/** The reply: the path alone for create, path and Stat for the others. */
export function writeCreateReply(writer: JuteWriter, opcode: number, result: CreateResult): void {
  writer.ustring(result.path)
  if (opcode === Opcode.create) return
  assert(result.stat !== null, 'a create with Stat was asked for one')
  writeStat(writer, result.stat)
}

export function readCreateReply(reader: JuteReader, opcode: number): CreateResult {
  const path = reader.string()
  return { kind: 'create', path, stat: opcode === Opcode.create ? null : readStat(reader) }
}

/**
 * createTTL takes the ttl flags only, and those no other opcode. Containers are made by
 * createContainer: the flag in another create makes an ordinary znode in ZooKeeper, and here; but in
 * a multi, a container (MultiOperationRecord takes the operation from the flag there).
 */
function flagsFor(opcode: number, number: number, inMulti: boolean): Flags | undefined {
  const flags = FLAGS[number]
  if (flags === undefined || (flags.mode === 'ttl') !== (opcode === Opcode.createTtl)) {
    return undefined
  }
  if (opcode !== Opcode.createContainer) {
    return flags.mode === 'container' && !inMulti ? FLAGS[0] : flags
  }
  return number === 0 || flags.mode === 'container' ? FLAGS[4] : undefined
}

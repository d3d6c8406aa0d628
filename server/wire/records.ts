import { ErrorCode } from '../core/machine/error-code.ts'
import { type Acl, type AclEntry, type Identity, OPEN_ACL, Permission } from '../core/tree/acl.ts'
import type { Stat } from '../core/tree/stat.ts'
import type { JuteReader } from './jute.ts'
import { JuteWriter } from './jute.ts'

/** The bytes of a vector that holds nothing but world:anyone with all permissions. */
const OPEN_ACL_BYTES = openAclBytes()

/** Stat, 68 bytes (reference B4). */
export function writeStat(writer: JuteWriter, stat: Stat): void {
  writer.long(stat.czxid)
  writer.long(stat.mzxid)
  writer.long(stat.ctimeMs)
  writer.long(stat.mtimeMs)
  writer.int(stat.version)
  writer.int(stat.cversion)
  writer.int(stat.aversion)
  writer.long(stat.ephemeralOwner)
  writer.int(stat.dataLength)
  writer.int(stat.numChildren)
  writer.long(stat.pzxid)
}

/**
 * Stat as a client reads it. An ephemeralOwner beyond the safe integers (other servers' session ids)
 * is rounded to the nearest double; it compares equal to Number() of that session's id.
 */
export function readStat(reader: JuteReader): Stat {
  return {
    czxid: reader.longClamped(),
    mzxid: reader.longClamped(),
    ctimeMs: reader.longClamped(),
    mtimeMs: reader.longClamped(),
    version: reader.int(),
    cversion: reader.int(),
    aversion: reader.int(),
    ephemeralOwner: Number(reader.longOrBig()),
    dataLength: reader.int(),
    numChildren: reader.int(),
    pzxid: reader.longClamped(),
  }
}

export function writeAcl(writer: JuteWriter, acl: Acl): void {
  if (acl === OPEN_ACL) {
    writer.raw(OPEN_ACL_BYTES)
    return
  }
  writer.int(acl.length)
  for (const entry of acl) {
    writer.int(entry.permissions)
    writer.ustring(entry.scheme)
    writer.ustring(entry.id)
  }
}

/** vector<ACL>; a null vector is an empty one, and null strings are empty (kazoo sends those). */
export function readAcl(reader: JuteReader): Acl {
  if (reader.consume(OPEN_ACL_BYTES)) return OPEN_ACL
  const count = reader.count(12)
  const acl: AclEntry[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) {
    const permissions = reader.int()
    const scheme = reader.ustring() ?? ''
    acl.push({ permissions, scheme, id: reader.ustring() ?? '' })
  }
  return acl
}

/** vector<ustring>. */
export function writeStrings(writer: JuteWriter, strings: readonly string[]): void {
  writer.int(strings.length)
  for (const text of strings) writer.ustring(text)
}

/** vector<ustring>; a null vector is an empty one, a null string inside fails. */
export function readStrings(reader: JuteReader): string[] {
  const count = reader.count(4)
  const strings: string[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) strings.push(reader.string())
  return strings
}

/** vector<{scheme, user}>, the answer of whoAmI. */
export function writeIdentities(writer: JuteWriter, identities: readonly Identity[]): void {
  writer.int(identities.length)
  for (const identity of identities) {
    writer.ustring(identity.scheme)
    writer.ustring(identity.id)
  }
}

export function readIdentities(reader: JuteReader): Identity[] {
  const count = reader.count(8)
  const identities: Identity[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) {
    const scheme = reader.ustring() ?? ''
    identities.push({ scheme, id: reader.ustring() ?? '' })
  }
  return identities
}

/** What stands before each item of a multi, and at its end: type, done, err. */
export function writeMultiHeader(
  writer: JuteWriter,
  type: number,
  done: boolean,
  error: number,
): void {
  writer.int(type)
  writer.boolean(done)
  writer.int(error)
}

export interface MultiHeader {
  readonly type: number
  readonly done: boolean
  readonly error: number
}

export function readMultiHeader(reader: JuteReader): MultiHeader {
  return { type: reader.int(), done: reader.boolean(), error: reader.int() }
}

const CODES: ReadonlyMap<number, ErrorCode> = new Map(
  Object.values(ErrorCode).map((code) => [code, code]),
)

/** The error code of a number off the wire; one that has no meaning is an apiError (-100). */
export function toErrorCode(code: number): ErrorCode {
  return CODES.get(code) ?? ErrorCode.apiError
}

function openAclBytes(): Uint8Array {
  const writer = new JuteWriter(64)
  writer.int(1)
  writer.int(Permission.all)
  writer.ustring('world')
  writer.ustring('anyone')
  return new Uint8Array(writer.take())
}

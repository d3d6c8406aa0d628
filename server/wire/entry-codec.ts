import { unreachable } from '../core/assert.ts'
import type { Entry, HardState, Member, SnapshotMeta } from '../core/raft/message.ts'
import type { JuteReader, JuteWriter } from './jute.ts'

/*
 * Raft's own values as bytes, for the write-ahead log, snapshot files and peer frames. The forms
 * carry no version of their own: each of those containers has one. Readers fail the JuteReader on
 * nonsense; the caller looks at `reader.failed`.
 */

/** The byte of each kind of entry. The numbers are for ever. */
const EntryKind = { noop: 1, requests: 2, membership: 3 } as const satisfies Record<
  Entry['kind'],
  number
>

/** index, term, kind, then the kind's body. */
function writeEntry(writer: JuteWriter, entry: Entry): void {
  writer.varint(entry.index)
  writer.varint(entry.term)
  writer.byte(EntryKind[entry.kind])
  writeEntryBody(writer, entry)
}

/** The payload of a requests entry is a view into the input. */
function readEntry(reader: JuteReader): Entry {
  const index = reader.varint()
  const term = reader.varint()
  return readEntryBody(reader, index, term, reader.byte())
}

/** The body alone, for a container that keeps index, term and kind in headers of its own. */
export function writeEntryBody(writer: JuteWriter, entry: Entry): void {
  switch (entry.kind) {
    case 'noop':
      break
    case 'requests':
      writer.buffer(entry.payload)
      break
    case 'membership':
      writeMembers(writer, entry.members)
      break
    default:
      unreachable(entry)
  }
}

/** Reads what writeEntryBody wrote; an unknown kind fails the reader. The payload is a view. */
export function readEntryBody(
  reader: JuteReader,
  index: number,
  term: number,
  kind: number,
): Entry {
  switch (kind) {
    case EntryKind.noop:
      return { kind: 'noop', index, term }
    case EntryKind.requests: {
      const payload = reader.buffer()
      if (payload !== null) return { kind: 'requests', index, term, payload }
      break
    }
    case EntryKind.membership:
      return { kind: 'membership', index, term, members: readMembers(reader) }
  }
  reader.fail()
  return { kind: 'noop', index, term }
}

export function writeEntries(writer: JuteWriter, entries: readonly Entry[]): void {
  writer.int(entries.length)
  for (const entry of entries) writeEntry(writer, entry)
}

/** Payloads are views into the input. */
export function readEntries(reader: JuteReader): Entry[] {
  const count = reader.count(3)
  const entries: Entry[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) entries.push(readEntry(reader))
  return entries
}

export function writeHardState(writer: JuteWriter, state: HardState): void {
  writer.varint(state.term)
  writer.ustring(state.votedFor)
  writer.varint(state.commit)
}

export function readHardState(reader: JuteReader): HardState {
  return { term: reader.varint(), votedFor: reader.ustring(), commit: reader.varint() }
}

export function writeSnapshotMeta(writer: JuteWriter, meta: SnapshotMeta): void {
  writer.varint(meta.index)
  writer.varint(meta.term)
  writeMembers(writer, meta.members)
}

export function readSnapshotMeta(reader: JuteReader): SnapshotMeta {
  return { index: reader.varint(), term: reader.varint(), members: readMembers(reader) }
}

export function writeMembers(writer: JuteWriter, members: readonly Member[]): void {
  writer.int(members.length)
  for (const member of members) writeMember(writer, member)
}

export function readMembers(reader: JuteReader): Member[] {
  const count = reader.count(6)
  const members: Member[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) members.push(readMember(reader))
  return members
}

/** Role and observer share a byte: 1 a voter, 2 an observer. */
function writeMember(writer: JuteWriter, member: Member): void {
  writer.byte((member.role === 'voter' ? 1 : 0) | (member.observer ? 2 : 0))
  writer.shortString(member.id)
  writer.shortString(member.name)
  writer.shortString(member.peerAddress)
  writer.shortString(member.clientAddress)
  writer.shortString(member.httpAddress)
}

function readMember(reader: JuteReader): Member {
  const bits = reader.byte()
  if (bits > 3) reader.fail()
  return {
    role: (bits & 1) !== 0 ? 'voter' : 'learner',
    observer: (bits & 2) !== 0,
    id: reader.shortString(),
    name: reader.shortString(),
    peerAddress: reader.shortString(),
    clientAddress: reader.shortString(),
    httpAddress: reader.shortString(),
  }
}

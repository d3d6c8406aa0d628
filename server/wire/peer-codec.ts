import { unreachable } from '../core/assert.ts'
import { readMembers, readSnapshotMeta, writeMembers, writeSnapshotMeta } from './entry-codec.ts'
import { JuteReader, type JuteWriter } from './jute.ts'
import { readMessage, writeMessage } from './message-codec.ts'
import { readReconfig, writeReconfig } from './operations/reconfig.ts'
import type { Hello, PeerFrame } from './peer-frame.ts'
import { toErrorCode } from './records.ts'
import { readSenders, writeSenders } from './request-codec.ts'

/**
 * The first byte of every frame and hello. A newer build adds fields at the end, which older ones
 * ignore; it raises this number only for what they must not misread.
 */
const FORMAT_VERSION = 1
const NOTHING = new Uint8Array(0)

/** The byte of each frame. The numbers are for ever. */
const Kind = {
  raft: 1,
  forward: 2,
  forwardReply: 3,
  touch: 4,
  touchReply: 5,
  snapshotChunk: 6,
  snapshotChunkReply: 7,
  join: 8,
  joinReply: 9,
  transferRequest: 10,
  leaving: 11,
  reconfig: 12,
  reconfigReply: 13,
} as const satisfies Record<PeerFrame['kind'], number>

/** Appends a frame, without any length before it: the transport frames and limits it. */
export function encodePeerFrame(writer: JuteWriter, frame: PeerFrame): void {
  writer.byte(FORMAT_VERSION)
  writer.byte(Kind[frame.kind])
  switch (frame.kind) {
    case 'raft':
      writeMessage(writer, frame.message)
      break
    case 'forward':
      writer.long(frame.term)
      writer.long(frame.stream)
      writer.long(frame.sequence)
      writer.int(frame.count)
      writer.buffer(frame.requests)
      break
    case 'forwardReply':
      writer.long(frame.term)
      writer.long(frame.stream)
      writer.long(frame.expected)
      writer.boolean(frame.accepted)
      break
    case 'touch':
      writer.long(frame.term)
      writer.long(frame.sequence)
      writer.int(frame.sessions.length)
      for (const session of frame.sessions) writer.varint(session)
      break
    case 'touchReply':
      writer.long(frame.term)
      writer.long(frame.sequence)
      break
    case 'snapshotChunk':
      writer.long(frame.term)
      writeSnapshotMeta(writer, frame.meta)
      writer.long(frame.offset)
      writer.buffer(frame.data)
      writer.boolean(frame.last)
      break
    default:
      writeRareFrame(writer, frame)
  }
}

type RareFrame = Extract<
  PeerFrame,
  {
    kind:
      | 'snapshotChunkReply'
      | 'join'
      | 'joinReply'
      | 'transferRequest'
      | 'leaving'
      | 'reconfig'
      | 'reconfigReply'
  }
>

function writeRareFrame(writer: JuteWriter, frame: RareFrame): void {
  switch (frame.kind) {
    case 'snapshotChunkReply':
      writer.long(frame.term)
      writer.long(frame.index)
      writer.long(frame.offset)
      break
    case 'join':
      writeHello(writer, frame.hello)
      break
    case 'joinReply':
      writer.ustring(frame.clusterId)
      writer.ustring(frame.leader)
      writeMembers(writer, frame.members)
      writer.ustring(frame.refusal)
      break
    case 'transferRequest':
      writer.ustring(frame.to)
      break
    case 'leaving':
      break
    case 'reconfig':
      writer.long(frame.ticket)
      writeReconfig(writer, frame.request)
      writeSenders(writer, frame.identities)
      break
    case 'reconfigReply':
      writer.long(frame.ticket)
      writer.boolean(frame.code !== null)
      writer.int(frame.code ?? 0)
      break
    default:
      unreachable(frame)
  }
}

/**
 * Decodes one frame, or null when it is none of this version: the link is then closed. Never throws.
 * Entry payloads, forwarded requests and snapshot data are views into `bytes`.
 */
export function decodePeerFrame(bytes: Uint8Array): PeerFrame | null {
  const reader = new JuteReader(bytes)
  if (reader.byte() !== FORMAT_VERSION) return null
  const frame = readFrame(reader, reader.byte())
  return reader.failed ? null : frame
}

function readFrame(reader: JuteReader, kind: number): PeerFrame | null {
  switch (kind) {
    case Kind.raft:
      return { kind: 'raft', message: readMessage(reader) }
    case Kind.forward:
      return {
        kind: 'forward',
        term: reader.long(),
        stream: reader.long(),
        sequence: reader.long(),
        count: reader.int(),
        requests: reader.buffer() ?? NOTHING,
      }
    case Kind.forwardReply:
      return {
        kind: 'forwardReply',
        term: reader.long(),
        stream: reader.long(),
        expected: reader.long(),
        accepted: reader.boolean(),
      }
    case Kind.touch:
      return {
        kind: 'touch',
        term: reader.long(),
        sequence: reader.long(),
        sessions: readSessions(reader),
      }
    case Kind.touchReply:
      return { kind: 'touchReply', term: reader.long(), sequence: reader.long() }
    case Kind.snapshotChunk:
      return {
        kind: 'snapshotChunk',
        term: reader.long(),
        meta: readSnapshotMeta(reader),
        offset: reader.long(),
        data: reader.buffer() ?? NOTHING,
        last: reader.boolean(),
      }
    default:
      return readRareFrame(reader, kind)
  }
}

function readRareFrame(reader: JuteReader, kind: number): PeerFrame | null {
  switch (kind) {
    case Kind.snapshotChunkReply:
      return {
        kind: 'snapshotChunkReply',
        term: reader.long(),
        index: reader.long(),
        offset: reader.long(),
      }
    case Kind.join:
      return { kind: 'join', hello: readHello(reader) }
    case Kind.joinReply:
      return {
        kind: 'joinReply',
        clusterId: reader.string(),
        leader: reader.ustring(),
        members: readMembers(reader),
        refusal: reader.ustring(),
      }
    case Kind.transferRequest:
      return { kind: 'transferRequest', to: reader.string() }
    case Kind.leaving:
      return { kind: 'leaving' }
    case Kind.reconfig:
      return {
        kind: 'reconfig',
        ticket: reader.long(),
        request: readReconfig(reader),
        identities: readSenders(reader),
      }
    case Kind.reconfigReply: {
      const ticket = reader.long()
      const known = reader.boolean()
      const code = toErrorCode(reader.int())
      return { kind: 'reconfigReply', ticket, code: known ? code : null }
    }
    default:
      return null
  }
}

function readSessions(reader: JuteReader): number[] {
  const count = reader.count(1)
  const sessions: number[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) sessions.push(reader.varint())
  return sessions
}

/** A hello by itself, for the opening of a link; version first. */
export function encodeHello(writer: JuteWriter, hello: Hello): void {
  writer.byte(FORMAT_VERSION)
  writeHello(writer, hello)
}

/** Null when it is none of this version. Never throws. */
export function decodeHello(bytes: Uint8Array): Hello | null {
  const reader = new JuteReader(bytes)
  if (reader.byte() !== FORMAT_VERSION) return null
  const hello = readHello(reader)
  return reader.failed ? null : hello
}

function writeHello(writer: JuteWriter, hello: Hello): void {
  writer.ustring(hello.name)
  writer.ustring(hello.id)
  writer.ustring(hello.clusterId)
  writer.ustring(hello.peerAddress)
  writer.ustring(hello.clientAddress)
  writer.ustring(hello.httpAddress)
  writer.boolean(hello.observer)
  writer.int(hello.versionMax)
}

function readHello(reader: JuteReader): Hello {
  return {
    name: reader.string(),
    id: reader.string(),
    clusterId: reader.string(),
    peerAddress: reader.string(),
    clientAddress: reader.string(),
    httpAddress: reader.string(),
    observer: reader.boolean(),
    versionMax: reader.int(),
  }
}

import { unreachable } from '../core/assert.ts'
import type { Message } from '../core/raft/message.ts'
import { readEntries, writeEntries } from './entry-codec.ts'
import type { JuteReader, JuteWriter } from './jute.ts'

/** The byte of each Raft message on a peer link. The numbers are for ever. */
const Kind = {
  preVote: 1,
  vote: 2,
  preVoteReply: 3,
  voteReply: 4,
  append: 5,
  appendReply: 6,
  heartbeat: 7,
  heartbeatReply: 8,
  timeoutNow: 9,
  readIndex: 10,
  readIndexReply: 11,
  snapshotReply: 12,
} as const satisfies Record<Message['kind'], number>

/** Kind, term, and the message's fields in the order of its declaration. */
export function writeMessage(writer: JuteWriter, message: Message): void {
  writer.byte(Kind[message.kind])
  writer.long(message.term)
  switch (message.kind) {
    case 'preVote':
    case 'vote':
      writer.long(message.lastIndex)
      writer.long(message.lastTerm)
      writer.boolean(message.transfer)
      break
    case 'preVoteReply':
    case 'voteReply':
      writer.boolean(message.granted)
      break
    case 'append':
      writer.long(message.previousIndex)
      writer.long(message.previousTerm)
      writer.long(message.commit)
      writeEntries(writer, message.entries)
      break
    case 'appendReply':
      writer.boolean(message.success)
      writer.long(message.index)
      writer.long(message.hintTerm)
      writer.long(message.previousIndex)
      break
    case 'heartbeat':
      writer.long(message.commit)
      writer.long(message.round)
      break
    case 'heartbeatReply':
      writer.long(message.round)
      break
    case 'timeoutNow':
      break
    case 'readIndex':
      writer.long(message.context)
      break
    case 'readIndexReply':
      writer.long(message.context)
      writer.long(message.index)
      writer.boolean(message.accepted)
      break
    case 'snapshotReply':
      writer.long(message.index)
      writer.boolean(message.success)
      break
    default:
      unreachable(message)
  }
}

/** Reads what writeMessage wrote; an unknown kind fails the reader. Entry payloads are views. */
export function readMessage(reader: JuteReader): Message {
  const number = reader.byte()
  const term = reader.long()
  switch (number) {
    case Kind.preVote:
    case Kind.vote:
      return {
        kind: number === Kind.vote ? 'vote' : 'preVote',
        term,
        lastIndex: reader.long(),
        lastTerm: reader.long(),
        transfer: reader.boolean(),
      }
    case Kind.preVoteReply:
    case Kind.voteReply:
      return {
        kind: number === Kind.voteReply ? 'voteReply' : 'preVoteReply',
        term,
        granted: reader.boolean(),
      }
    case Kind.append:
      return {
        kind: 'append',
        term,
        previousIndex: reader.long(),
        previousTerm: reader.long(),
        commit: reader.long(),
        entries: readEntries(reader),
      }
    case Kind.appendReply:
      return {
        kind: 'appendReply',
        term,
        success: reader.boolean(),
        index: reader.long(),
        hintTerm: reader.long(),
        previousIndex: reader.long(),
      }
    default:
      return readRareMessage(reader, number, term)
  }
}

function readRareMessage(reader: JuteReader, number: number, term: number): Message {
  switch (number) {
    case Kind.heartbeat:
      return { kind: 'heartbeat', term, commit: reader.long(), round: reader.long() }
    case Kind.heartbeatReply:
      return { kind: 'heartbeatReply', term, round: reader.long() }
    case Kind.timeoutNow:
      return { kind: 'timeoutNow', term }
    case Kind.readIndex:
      return { kind: 'readIndex', term, context: reader.long() }
    case Kind.readIndexReply:
      return {
        kind: 'readIndexReply',
        term,
        context: reader.long(),
        index: reader.long(),
        accepted: reader.boolean(),
      }
    case Kind.snapshotReply:
      return {
        kind: 'snapshotReply',
        term,
        index: reader.long(),
        success: reader.boolean(),
      }
    default:
      reader.fail()
      return { kind: 'timeoutNow', term }
  }
}

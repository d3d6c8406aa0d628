import { describe, expect, it } from 'vitest'
import type { Message } from '../../../server/core/raft/message.ts'
import { Raft } from '../../../server/core/raft/raft.ts'
import type { RaftOutput } from '../../../server/core/raft/step.ts'
import { append, noop, OPTIONS, restored } from './entries.ts'

const TERM = 5

/** Peer a follows b in term 5, with two entries, the first committed. */
function follower(): Raft {
  const raft = new Raft(OPTIONS, restored(TERM, noop(1, 1), noop(2, 4)))
  raft.step([{ kind: 'message', from: 'b', message: append(TERM, [2, 4], [], 1) }])
  expect(raft.leader).toBe('b')
  return raft
}

function receive(raft: Raft, from: string, message: Message): RaftOutput {
  return raft.step([{ kind: 'message', from, message }])
}

function replies(output: RaftOutput): Message[] {
  return [...output.messages, ...output.messagesAfterPersist].map(({ message }) => message)
}

/** Every kind of message, as sent by c in `term`. */
function messages(term: number): Record<string, Message> {
  const asks = { term, lastIndex: 9, lastTerm: term, transfer: false }
  return {
    preVote: { kind: 'preVote', ...asks },
    vote: { kind: 'vote', ...asks },
    voteOfTransfer: { kind: 'vote', ...asks, transfer: true },
    preVoteGranted: { kind: 'preVoteReply', term, granted: true },
    preVoteRefused: { kind: 'preVoteReply', term, granted: false },
    voteGranted: { kind: 'voteReply', term, granted: true },
    append: append(term, [2, 4], [noop(3, Math.max(4, term))]),
    appendReply: {
      kind: 'appendReply',
      term,
      success: true,
      index: 2,
      hintTerm: 0,
      previousIndex: 1,
    },
    heartbeat: { kind: 'heartbeat', term, commit: 2, round: 1 },
    heartbeatReply: { kind: 'heartbeatReply', term, round: 1 },
    timeoutNow: { kind: 'timeoutNow', term },
    readIndex: { kind: 'readIndex', term, context: 7 },
    readIndexReply: { kind: 'readIndexReply', term, context: 7, index: 2, accepted: true },
    snapshotReply: { kind: 'snapshotReply', term, index: 2, success: true },
  }
}

describe('a message of an older term', () => {
  const old = messages(TERM - 1)
  const refusal = { term: TERM, success: false }

  it.each<{ name: string; answer: object | null }>([
    { name: 'preVote', answer: { kind: 'preVoteReply', term: TERM, granted: false } },
    { name: 'vote', answer: null },
    { name: 'voteOfTransfer', answer: null },
    { name: 'preVoteGranted', answer: null },
    { name: 'preVoteRefused', answer: null },
    { name: 'voteGranted', answer: null },
    { name: 'append', answer: { kind: 'appendReply', ...refusal, previousIndex: 2 } },
    { name: 'appendReply', answer: null },
    { name: 'heartbeat', answer: { kind: 'appendReply', ...refusal, previousIndex: 0 } },
    { name: 'heartbeatReply', answer: null },
    { name: 'timeoutNow', answer: null },
    { name: 'readIndex', answer: { kind: 'readIndexReply', accepted: false, context: 7 } },
    { name: 'readIndexReply', answer: null },
    { name: 'snapshotReply', answer: null },
  ])('$name changes nothing, and is answered with $answer', ({ name, answer }) => {
    const raft = follower()
    const before = raft.status()
    const message = old[name]
    if (message === undefined) throw new Error(`no message ${name}`)
    const output = receive(raft, 'c', message)
    expect(raft.status()).toEqual(before)
    expect(output.entries).toEqual([])
    expect(output.hardState).toBeNull()
    const answers = replies(output)
    if (answer === null) expect(answers).toEqual([])
    else expect(answers).toEqual([expect.objectContaining(answer)])
  })
})

describe('a message of a newer term', () => {
  const newer = messages(TERM + 1)

  it.each([
    // A pre-vote only asks.
    { name: 'preVote', term: TERM, leader: 'b' },
    // Who has just heard a leader does not let it be disturbed.
    { name: 'vote', term: TERM, leader: 'b' },
    { name: 'voteOfTransfer', term: TERM + 1, leader: null },
    // A grant names the term that was sought, a refusal the one that is.
    { name: 'preVoteGranted', term: TERM, leader: 'b' },
    { name: 'preVoteRefused', term: TERM + 1, leader: null },
    { name: 'voteGranted', term: TERM + 1, leader: null },
    { name: 'append', term: TERM + 1, leader: 'c' },
    { name: 'appendReply', term: TERM + 1, leader: null },
    { name: 'heartbeat', term: TERM + 1, leader: 'c' },
    { name: 'heartbeatReply', term: TERM + 1, leader: null },
    { name: 'readIndex', term: TERM + 1, leader: null },
    { name: 'readIndexReply', term: TERM + 1, leader: null },
    { name: 'snapshotReply', term: TERM + 1, leader: null },
  ])('$name: term $term, leader $leader', ({ name, term, leader }) => {
    const raft = follower()
    const message = newer[name]
    if (message === undefined) throw new Error(`no message ${name}`)
    receive(raft, 'c', message)
    expect([raft.term, raft.leader]).toEqual([term, leader])
  })

  it('is durable before it is answered', () => {
    const raft = follower()
    const output = receive(raft, 'c', append(TERM + 1, [2, 4], [noop(3, TERM + 1)]))
    expect(output.hardState).toEqual({ term: TERM + 1, votedFor: null, commit: 1 })
    expect(output.messages).toEqual([])
    expect(output.messagesAfterPersist.map(({ message }) => message.kind)).toEqual(['appendReply'])
  })

  it('takes a timeoutNow for the word of its leader', () => {
    const raft = follower()
    receive(raft, 'c', { kind: 'timeoutNow', term: TERM + 1 })
    expect([raft.term, raft.role]).toEqual([TERM + 2, 'candidate'])
  })
})

describe('a message of this term', () => {
  const same = messages(TERM)

  it.each(['preVote', 'vote', 'voteOfTransfer'])('%s is refused under a leader', (name) => {
    const message = same[name]
    if (message === undefined) throw new Error(`no message ${name}`)
    expect(replies(receive(follower(), 'c', message))).toEqual([
      expect.objectContaining({ granted: false }),
    ])
  })

  it('asks for a campaign only when it comes from the leader', () => {
    const raft = follower()
    receive(raft, 'c', { kind: 'timeoutNow', term: TERM })
    expect(raft.role).toBe('follower')
    const output = receive(raft, 'b', { kind: 'timeoutNow', term: TERM })
    expect(raft.role).toBe('candidate')
    expect(replies(output)).toContainEqual(
      expect.objectContaining({ kind: 'vote', term: TERM + 1, transfer: true }),
    )
  })

  it.each(['appendReply', 'heartbeatReply', 'snapshotReply', 'voteGranted', 'preVoteGranted'])(
    '%s means nothing to a follower',
    (name) => {
      const raft = follower()
      const before = raft.status()
      const message = same[name]
      if (message === undefined) throw new Error(`no message ${name}`)
      expect(replies(receive(raft, 'c', message))).toEqual([])
      expect(raft.status()).toEqual(before)
    },
  )

  it('from itself means nothing', () => {
    const raft = follower()
    const before = raft.status()
    for (const message of Object.values(messages(TERM + 1))) receive(raft, 'a', message)
    expect(raft.status()).toEqual(before)
  })
})

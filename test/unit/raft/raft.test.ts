import { describe, expect, it } from 'vitest'
import type { Entry, Message } from '../../../server/core/raft/message.ts'
import { Raft } from '../../../server/core/raft/raft.ts'
import type { RaftOptions, RaftOutput } from '../../../server/core/raft/step.ts'
import { member } from '../../support/raft-cluster.ts'
import { append, membership, noop, OPTIONS, request, restored, THREE } from './entries.ts'

function receive(raft: Raft, from: string, message: Message): RaftOutput {
  return raft.step([{ kind: 'message', from, message }])
}

function persisted(raft: Raft): RaftOutput {
  const { lastIndex: index, lastTerm: term } = raft.status()
  return raft.step([{ kind: 'persisted', index, term }])
}

function kinds(envelopes: RaftOutput['messages']): string[] {
  return envelopes.map(({ to, message }) => `${message.kind} ${to}`)
}

/** Peer a leads term 1; its first entry is committed, durable here and on b, and applied. */
function leader(options: Partial<RaftOptions> = {}): Raft {
  const raft = new Raft({ ...OPTIONS, ...options }, restored(0))
  raft.step([{ kind: 'campaign' }])
  receive(raft, 'b', { kind: 'voteReply', term: 1, granted: true })
  persisted(raft)
  const output = acknowledge(raft, 'b', 1)
  expect(output.committed.map(({ index }) => index)).toEqual([1])
  raft.step([{ kind: 'applied', index: 1 }])
  return raft
}

function acknowledge(raft: Raft, from: string, index: number): RaftOutput {
  const reply = { success: true, hintTerm: 0, previousIndex: index - 1 }
  return receive(raft, from, { kind: 'appendReply', term: raft.term, index, ...reply })
}

describe('votes', () => {
  const ask = (lastIndex: number, lastTerm: number): Message => ({
    kind: 'vote',
    term: 9,
    lastIndex,
    lastTerm,
    transfer: false,
  })

  it.each([
    { what: 'the same log', log: [2, 4], granted: true },
    { what: 'a longer one', log: [7, 4], granted: true },
    { what: 'a shorter one of a later term', log: [1, 5], granted: true },
    { what: 'a shorter one', log: [1, 4], granted: false },
    { what: 'a longer one of an older term', log: [90, 3], granted: false },
    { what: 'an empty one', log: [0, 0], granted: false },
  ])('go to $what: $granted', ({ log: [index = 0, term = 0], granted }) => {
    const raft = new Raft(OPTIONS, restored(4, noop(1, 1), noop(2, 4)))
    const output = receive(raft, 'c', ask(index, term))
    expect(output.messagesAfterPersist.map(({ message }) => message)).toEqual([
      { kind: 'voteReply', term: 9, granted },
    ])
    expect(output.hardState).toEqual({ term: 9, votedFor: granted ? 'c' : null, commit: 0 })
  })

  it('go to one in a term, as often as it asks', () => {
    const raft = new Raft(OPTIONS, restored(4))
    const granted = (from: string) =>
      receive(raft, from, ask(0, 0)).messagesAfterPersist.map(({ message }) => message)
    expect(granted('c')).toEqual([expect.objectContaining({ granted: true })])
    expect(granted('b')).toEqual([expect.objectContaining({ granted: false })])
    expect(granted('c')).toEqual([expect.objectContaining({ granted: true })])
  })

  it('given away put the own campaign off', () => {
    const raft = new Raft(OPTIONS, restored(9))
    const tick = (times: number) => {
      for (let i = 0; i < times; i += 1) raft.step([{ kind: 'tick' }])
    }
    tick(9)
    receive(raft, 'c', ask(0, 0))
    tick(9)
    expect(raft.role).toBe('follower')
    tick(1)
    expect(raft.role).toBe('preCandidate')
  })

  it('that were promised for another term do not count', () => {
    const raft = new Raft(OPTIONS, restored(4))
    for (let i = 0; i < 10; i += 1) raft.step([{ kind: 'tick' }])
    receive(raft, 'b', { kind: 'preVoteReply', term: 4, granted: true })
    receive(raft, 'b', { kind: 'preVoteReply', term: 6, granted: true })
    expect([raft.role, raft.term]).toEqual(['preCandidate', 4])
    receive(raft, 'b', { kind: 'preVoteReply', term: 5, granted: true })
    expect([raft.role, raft.term]).toEqual(['candidate', 5])
  })

  it('are read from the disk, unless the log knows a later term', () => {
    const disk = { ...restored(4, noop(1, 4)), hardState: { term: 4, votedFor: 'b', commit: 0 } }
    expect(new Raft(OPTIONS, disk).inspect()).toMatchObject({ term: 4, votedFor: 'b' })
    const behind = { ...disk, hardState: { term: 3, votedFor: 'b', commit: 0 } }
    expect(new Raft(OPTIONS, behind).inspect()).toMatchObject({ term: 4, votedFor: null })
  })

  it('of a peer that abstains go to nobody, nor does it campaign', () => {
    const raft = new Raft({ ...OPTIONS, abstain: true }, restored(4))
    const output = receive(raft, 'c', ask(9, 9))
    expect(output.messagesAfterPersist.map(({ message }) => message)).toEqual([
      { kind: 'voteReply', term: 9, granted: false },
    ])
    for (let i = 0; i < 100; i += 1) raft.step([{ kind: 'tick' }])
    raft.step([{ kind: 'campaign' }])
    expect(raft.role).toBe('follower')
  })
})

describe('appends to a follower', () => {
  const log = [noop(1, 1), noop(2, 1), noop(3, 2)]
  const positions = (raft: Raft) => {
    const { baseIndex, lastIndex, termAt } = raft.inspect()
    const found: string[] = []
    for (let i = baseIndex + 1; i <= lastIndex; i += 1) found.push(`${i}@${termAt(i)}`)
    return found.join(' ')
  }

  it.each<{
    what: string
    previous: [number, number]
    entries: Entry[]
    expected: string
    reply: object
  }>([
    {
      what: 'the next entry',
      previous: [3, 2],
      entries: [noop(4, 5)],
      expected: '1@1 2@1 3@2 4@5',
      reply: { success: true, index: 4 },
    },
    {
      what: 'what is there already',
      previous: [1, 1],
      entries: [noop(2, 1)],
      expected: '1@1 2@1 3@2',
      reply: { success: true, index: 2 },
    },
    {
      what: 'another end',
      previous: [1, 1],
      entries: [noop(2, 3)],
      expected: '1@1 2@3',
      reply: { success: true, index: 2 },
    },
    {
      what: 'a gap',
      previous: [8, 5],
      entries: [noop(9, 5)],
      expected: '1@1 2@1 3@2',
      reply: { success: false, index: 3, hintTerm: 2, previousIndex: 8 },
    },
    {
      what: 'another term before, older than ours',
      previous: [3, 1],
      entries: [noop(4, 5)],
      expected: '1@1 2@1 3@2',
      reply: { success: false, index: 2, hintTerm: 1, previousIndex: 3 },
    },
    {
      what: 'another term before, later than ours',
      previous: [3, 4],
      entries: [noop(4, 5)],
      expected: '1@1 2@1 3@2',
      reply: { success: false, index: 3, hintTerm: 2, previousIndex: 3 },
    },
  ])('$what', ({ previous, entries, expected, reply }) => {
    const raft = new Raft(OPTIONS, restored(5, ...log))
    const output = receive(raft, 'b', append(5, previous, entries))
    expect(positions(raft)).toBe(expected)
    expect(output.messages).toEqual([])
    expect(output.messagesAfterPersist.map(({ message }) => message)).toEqual([
      expect.objectContaining({ kind: 'appendReply', ...reply }),
    ])
  })

  it.each<{ what: string; entries: Entry[] }>([
    { what: 'with a gap inside', entries: [noop(4, 5), noop(6, 5)] },
    { what: 'that does not begin behind its place', entries: [noop(5, 5)] },
    { what: 'of a term to come', entries: [noop(4, 6)] },
    { what: 'of a term before that of its place', entries: [noop(4, 1)] },
    { what: 'with falling terms', entries: [noop(4, 4), noop(5, 3)] },
  ])('entries $what are not believed', ({ entries }) => {
    const raft = new Raft(OPTIONS, restored(5, ...log))
    const output = receive(raft, 'b', append(5, [3, 2], entries))
    expect(positions(raft)).toBe('1@1 2@1 3@2')
    expect(output.messagesAfterPersist).toEqual([])
    expect(raft.leader).toBeNull()
  })

  it('commit only what is known to be the leader’s', () => {
    const raft = new Raft(OPTIONS, restored(5, ...log))
    receive(raft, 'b', append(5, [1, 1], [], 3))
    expect(raft.commitIndex).toBe(1)
    receive(raft, 'b', append(5, [1, 1], [noop(2, 1)], 99))
    expect(raft.commitIndex).toBe(2)
  })

  it('never remove a committed entry', () => {
    const raft = new Raft(OPTIONS, restored(5, ...log))
    receive(raft, 'b', append(5, [2, 1], [], 2))
    expect(() => receive(raft, 'b', append(6, [1, 1], [noop(2, 6)]))).toThrow(
      'a committed entry is never removed',
    )
  })

  it('below a base are acknowledged up to what is committed', () => {
    const raft = new Raft(OPTIONS, {
      hardState: { term: 5, votedFor: null, commit: 8 },
      snapshot: { index: 8, term: 4, members: THREE },
      entries: [],
    })
    const output = receive(raft, 'b', append(5, [3, 2], [noop(4, 2)]))
    expect(output.messagesAfterPersist.map(({ message }) => message)).toEqual([
      expect.objectContaining({ kind: 'appendReply', success: true, index: 8 }),
    ])
  })
})

describe('durability', () => {
  it('of the own entries counts for the commit only when it is reported', () => {
    const raft = leader()
    const output = raft.step([{ kind: 'propose', payload: new Uint8Array(1), token: 1 }])
    expect(output.accepted).toEqual([{ token: 1, index: 2, term: 1 }])
    expect(kinds(output.messages)).toEqual(['append b'])
    expect(acknowledge(raft, 'b', 2).committed).toEqual([])
    expect(raft.commitIndex).toBe(1)
    expect(persisted(raft).committed.map(({ index }) => index)).toEqual([2])
  })

  it('is not needed for the commit when the others make a majority, but for applying', () => {
    const raft = leader()
    acknowledge(raft, 'c', 1)
    raft.step([{ kind: 'propose', payload: new Uint8Array(1), token: 1 }])
    acknowledge(raft, 'b', 2)
    expect(acknowledge(raft, 'c', 2).committed).toEqual([])
    expect(raft.commitIndex).toBe(2)
    expect(persisted(raft).committed.map(({ index }) => index)).toEqual([2])
  })

  it('comes first for one that was elected by its own vote alone', () => {
    const members = [member('a'), member('d', 'learner')]
    const raft = new Raft(OPTIONS, {
      ...restored(0),
      snapshot: { index: 0, term: 0, members },
    })
    const output = raft.step([{ kind: 'campaign' }])
    expect(raft.role).toBe('leader')
    expect(output.hardState).toEqual({ term: 1, votedFor: 'a', commit: 0 })
    expect(kinds(output.messages)).toEqual([])
    expect(kinds(raft.step([{ kind: 'tick' }, { kind: 'tick' }]).messages)).toEqual([])
    expect(kinds(persisted(raft).messages)).toEqual(['append d'])
  })

  it('of the commit index alone is worth no write', () => {
    const raft = new Raft(OPTIONS, restored(5, noop(1, 1)))
    const first = receive(raft, 'b', append(5, [1, 1], [], 1))
    expect(raft.commitIndex).toBe(1)
    expect(first.hardState).toBeNull()
    const second = receive(raft, 'b', append(5, [1, 1], [noop(2, 5)], 1))
    expect(second.hardState).toEqual({ term: 5, votedFor: null, commit: 1 })
  })
})

describe('proposals', () => {
  const propose = (raft: Raft, bytes: number, token: number) =>
    raft.step([{ kind: 'propose', payload: new Uint8Array(bytes), token }])

  it('are refused by who does not lead', () => {
    const raft = new Raft(OPTIONS, restored(5))
    expect(propose(raft, 1, 3).refused).toEqual([{ token: 3, reason: 'notLeader' }])
  })

  it('are refused above a bound of uncommitted bytes, until they commit', () => {
    const raft = leader()
    expect(propose(raft, OPTIONS.uncommittedBytesMax + 1, 1).refused).toEqual([])
    expect(propose(raft, 1, 2).refused).toEqual([{ token: 2, reason: 'queueFull' }])
    persisted(raft)
    acknowledge(raft, 'b', 2)
    expect(propose(raft, 1, 3).refused).toEqual([])
  })

  it('of one turn go out together', () => {
    const raft = leader()
    const output = raft.step(
      [1, 2, 3].map((token) => ({ kind: 'propose', payload: new Uint8Array(1), token })),
    )
    expect(output.accepted.map(({ index }) => index)).toEqual([2, 3, 4])
    expect(output.entries).toHaveLength(3)
    expect(kinds(output.messages)).toEqual(['append b'])
  })

  it('are handed out for applying in portions', () => {
    const large = 3 * 1024 * 1024
    const raft = leader({ uncommittedBytesMax: 10 * large })
    propose(raft, large, 1)
    propose(raft, large, 2)
    persisted(raft)
    const indexes = (output: RaftOutput) => output.committed.map(({ index }) => index)
    expect(indexes(acknowledge(raft, 'b', 3))).toEqual([2])
    expect(raft.commitIndex).toBe(3)
    expect(indexes(raft.step([{ kind: 'applied', index: 2 }]))).toEqual([3])
  })
})

describe('acknowledgements', () => {
  it('of what the leader does not have are not believed', () => {
    const raft = leader()
    acknowledge(raft, 'b', 99)
    expect(raft.status().progress.find(({ peer }) => peer === 'b')?.match).toBe(1)
  })
})

describe('reads', () => {
  it('wait for the first commit of the term, whatever heartbeats are answered', () => {
    const raft = new Raft(OPTIONS, restored(0))
    raft.step([{ kind: 'campaign' }])
    receive(raft, 'b', { kind: 'voteReply', term: 1, granted: true })
    const output = raft.step([
      { kind: 'readIndex', context: 7 },
      { kind: 'tick' },
      { kind: 'tick' },
    ])
    const rounds = output.messages.flatMap(({ message }) =>
      message.kind === 'heartbeat' ? [message.round] : [],
    )
    const round = Math.max(...rounds)
    expect(receive(raft, 'b', { kind: 'heartbeatReply', term: 1, round }).reads).toEqual([])
    persisted(raft)
    acknowledge(raft, 'b', 1)
    const answered = receive(raft, 'b', { kind: 'heartbeatReply', term: 1, round: round + 1 })
    expect(answered.reads).toEqual([{ context: 7, index: 1 }])
  })
})

describe('contact', () => {
  it('of a leader that stepped down is old', () => {
    const raft = leader()
    for (let i = 0; i < OPTIONS.electionTicks; i += 1) raft.step([{ kind: 'tick' }])
    expect(raft.role).toBe('follower')
    expect(raft.contactAgeTicks).toBe(OPTIONS.electionTicks)
  })

  it('of a follower ages from the last word of its leader', () => {
    const raft = new Raft(OPTIONS, restored(5))
    expect(raft.contactAgeTicks).toBeGreaterThanOrEqual(OPTIONS.electionTicks)
    receive(raft, 'b', { kind: 'heartbeat', term: 5, commit: 0, round: 1 })
    expect(raft.contactAgeTicks).toBe(0)
    raft.step([{ kind: 'tick' }, { kind: 'tick' }])
    expect(raft.contactAgeTicks).toBe(2)
  })

  it('of a follower that stood still is old', () => {
    const raft = new Raft(OPTIONS, restored(5))
    receive(raft, 'b', { kind: 'heartbeat', term: 5, commit: 0, round: 1 })
    raft.step([{ kind: 'paused' }])
    expect(raft.contactAgeTicks).toBe(OPTIONS.electionTicks)
    expect(raft.leader).toBe('b')
    receive(raft, 'b', { kind: 'heartbeat', term: 5, commit: 0, round: 2 })
    expect(raft.contactAgeTicks).toBe(0)
  })

  it('of a leader ages from the answers of a majority', () => {
    const raft = leader()
    for (let i = 0; i < 3; i += 1) raft.step([{ kind: 'tick' }])
    expect(raft.contactAgeTicks).toBe(3)
    receive(raft, 'c', { kind: 'heartbeatReply', term: 1, round: 2 })
    expect(raft.contactAgeTicks).toBe(0)
  })

  it('of a leader that stood still is old until a round begun since is answered', () => {
    const raft = leader()
    const beats = (output: RaftOutput) =>
      output.messages.flatMap(({ message }) => (message.kind === 'heartbeat' ? [message] : []))
    const before = beats(raft.step([{ kind: 'tick' }, { kind: 'tick' }]))[0]
    const after = beats(raft.step([{ kind: 'paused' }]))[0]
    expect(raft.contactAgeTicks).toBe(OPTIONS.electionTicks)
    receive(raft, 'b', { kind: 'heartbeatReply', term: 1, round: before?.round ?? 0 })
    expect(raft.contactAgeTicks).toBe(OPTIONS.electionTicks)
    receive(raft, 'b', { kind: 'heartbeatReply', term: 1, round: after?.round ?? 0 })
    expect(raft.contactAgeTicks).toBe(0)
  })
})

describe('memory', () => {
  const progressOf = (raft: Raft, id: string) =>
    raft.status().progress.find(({ peer }) => peer === id)

  it('does not ask for a snapshot for a peer that is silent', () => {
    const raft = leader()
    for (let i = 0; i < OPTIONS.electionTicks; i += 1) {
      raft.step([{ kind: 'tick' }])
      receive(raft, 'b', { kind: 'heartbeatReply', term: 1, round: 1 })
    }
    raft.step([{ kind: 'compact', keepFrom: 2 }])
    const output = raft.step([{ kind: 'unreachable', peer: 'c' }])
    expect(output.snapshotsWanted).toEqual([])
    expect(progressOf(raft, 'c')?.state).toBe('probe')
  })

  it('asks again when a snapshot has come to nothing for very long', () => {
    const raft = leader()
    raft.step([{ kind: 'compact', keepFrom: 2 }])
    const beat = { kind: 'heartbeatReply', term: 1, round: 1 } as const
    let asked = raft.step([{ kind: 'unreachable', peer: 'c' }]).snapshotsWanted.length
    expect(asked).toBe(1)
    for (let i = 0; i < 40 * OPTIONS.electionTicks; i += 1) {
      asked += raft.step([{ kind: 'tick' }]).snapshotsWanted.length
      receive(raft, 'b', beat)
      receive(raft, 'c', beat)
    }
    expect(asked).toBe(2)
  })

  it('keeps what is not applied', () => {
    const raft = leader()
    raft.step([{ kind: 'propose', payload: new Uint8Array(1), token: 1 }])
    persisted(raft)
    acknowledge(raft, 'b', 2)
    raft.step([{ kind: 'compact', keepFrom: 99 }])
    expect([raft.commitIndex, raft.inspect().baseIndex]).toEqual([2, 1])
  })

  it('asks for a snapshot for who needs what has left, and once for each stream', () => {
    const raft = leader()
    raft.step([{ kind: 'compact', keepFrom: 2 }])
    const reject = { success: false, index: 0, hintTerm: 0, previousIndex: 1 }
    const rejected: Message = { kind: 'appendReply', term: 1, ...reject }
    const fail = { kind: 'snapshotFailed', peer: 'c' } as const
    raft.step([{ kind: 'unreachable', peer: 'c' }])
    receive(raft, 'c', rejected)
    const wanted = (output: RaftOutput) => output.snapshotsWanted
    expect(progressOf(raft, 'c')?.state).toBe('snapshot')
    expect(wanted(raft.step([{ kind: 'tick' }]))).toEqual([])
    expect(wanted(raft.step([fail]))).toEqual([{ to: 'c', index: 1 }])
    receive(raft, 'c', { kind: 'snapshotReply', term: 1, index: 1, success: true })
    expect(progressOf(raft, 'c')).toMatchObject({ match: 1 })
  })

  it('is replaced by a snapshot that goes further', () => {
    const raft = new Raft(OPTIONS, restored(5, noop(1, 1), noop(2, 1)))
    const two = THREE.slice(0, 2)
    const meta = { index: 8, term: 5, members: two }
    const output = raft.step([{ kind: 'snapshotInstalled', from: 'b', meta }])
    expect(raft.status()).toMatchObject({ commit: 8, applied: 8, lastIndex: 8, lastTerm: 5 })
    expect(raft.members).toBe(two)
    expect(output.messages.map(({ message }) => message)).toEqual([
      { kind: 'snapshotReply', term: 5, index: 8, success: true },
    ])
  })

  it('is kept over a snapshot of what is committed', () => {
    const raft = new Raft(OPTIONS, restored(5, noop(1, 1), noop(2, 1), request(3, 5)))
    receive(raft, 'b', append(5, [3, 5], [], 2))
    const meta = { index: 1, term: 1, members: THREE }
    const output = raft.step([{ kind: 'snapshotInstalled', from: 'b', meta }])
    expect(raft.status()).toMatchObject({ commit: 2, lastIndex: 3 })
    expect(output.messages.map(({ message }) => message)).toEqual([
      { kind: 'snapshotReply', term: 5, index: 2, success: true },
    ])
  })
})

describe('a configuration', () => {
  it('holds as soon as it is in the log, and no longer than that', () => {
    const raft = new Raft(OPTIONS, restored(5, noop(1, 1)))
    const without = THREE.slice(1)
    receive(raft, 'b', append(5, [1, 1], [membership(2, 5, without)]))
    expect(raft.members).toBe(without)
    expect(raft.role).toBe('learner')
    receive(raft, 'c', append(6, [1, 1], [noop(2, 6)]))
    expect(raft.members).toBe(THREE)
    expect(raft.role).toBe('follower')
  })
})

describe('a transfer of leadership', () => {
  it('is given up in time, however often it is asked for again', () => {
    const raft = leader()
    const target = () => raft.status().transferTarget
    raft.step([{ kind: 'transferLeadership', to: 'c' }])
    expect(target()).toBe('c')
    for (let tick = 0; tick < OPTIONS.electionTicks; tick += 1) {
      raft.step([{ kind: 'transferLeadership', to: 'c' }])
      expect(target()).toBe('c')
      acknowledge(raft, 'b', 1)
      raft.step([{ kind: 'tick' }])
    }
    expect([target(), raft.role]).toEqual([null, 'leader'])
  })
})

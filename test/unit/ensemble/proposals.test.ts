import { describe, expect, it } from 'vitest'
import type { Operation } from '../../../server/core/machine/operation.ts'
import type { Raft } from '../../../server/core/raft/raft.ts'
import type { RaftInput } from '../../../server/core/raft/step.ts'
import { zeroCounters } from '../../../server/ensemble/counters.ts'
import type { Environment } from '../../../server/ensemble/environment.ts'
import { Proposals } from '../../../server/ensemble/proposals.ts'
import { Submissions } from '../../../server/ensemble/submissions.ts'
import { SizeRange } from '../../../server/measure.ts'
import type { Transport } from '../../../server/transport/transport.ts'
import type { PeerFrame } from '../../../server/wire/peer-frame.ts'
import { decodeBatch } from '../../../server/wire/request-codec.ts'

type Forward = Extract<PeerFrame, { kind: 'forward' }>

const FOLLOWER_ORIGIN = 50
const LIMITS = { batchBytesMax: 10_000, pendingRequestsMax: 100, pendingBytesMax: 100_000 }

function remove(path: string): Operation {
  return { kind: 'delete', path, version: -1 }
}

/** What a follower with this origin sends to the leader of `term`. */
function forwards(term: number, paths: readonly string[]): Forward[] {
  const submissions = new Submissions(FOLLOWER_ORIGIN, LIMITS)
  return paths.flatMap((path) => {
    const submission = { session: 1, connection: 1, identities: [], operation: remove(path) }
    submissions.add(submission, () => {})
    return submissions.forwardAll(term).filter((frame) => frame.kind === 'forward')
  })
}

function bench(role: { isLeader: boolean; leader: string | null; term: number }) {
  const sent: { to: string; frame: PeerFrame }[] = []
  const state = { ...role }
  const submissions = new Submissions(7, LIMITS)
  const counters = zeroCounters()
  const clock = { wallMs: 1000 }
  let token = 0
  const transport: Partial<Transport> = { send: (to, frame) => void sent.push({ to, frame }) }
  const environment: Partial<Environment> = {
    wallClockMs: () => clock.wallMs,
    log: () => {},
  }
  const proposals = new Proposals({
    environment: environment as Environment,
    transport: transport as Transport,
    submissions,
    counters,
    proposalBytes: new SizeRange(),
    uncommittedBytesMax: 1_000,
    enforcesQuotas: () => false,
    raft: () => state as Raft,
    token: () => {
      token += 1
      return token
    },
    scheduleTurn: () => {},
  })
  const turn = () => {
    const inputs: RaftInput[] = []
    proposals.handOn(inputs)
    return inputs.flatMap((input) => (input.kind === 'propose' ? [input] : []))
  }
  const submit = (path: string) => {
    const submission = { session: 1, connection: 1, identities: [], operation: remove(path) }
    submissions.add(submission, () => {})
  }
  return { proposals, submissions, counters, sent, state, clock, turn, submit }
}

const LEADER = { isLeader: true, leader: 'a', term: 4 }
const FOLLOWER = { isLeader: false, leader: 'b', term: 4 }

function pathsOf(inputs: readonly { readonly payload: Uint8Array }[]): string[] {
  return inputs.flatMap(({ payload }) =>
    decodeBatch(payload).requests.map(({ operation }) =>
      'path' in operation ? operation.path : operation.kind,
    ),
  )
}

describe('a leader', () => {
  it('proposes what waits, in one batch', () => {
    const { submit, turn, counters } = bench(LEADER)
    submit('/a')
    submit('/b')
    const proposed = turn()
    expect(pathsOf(proposed)).toEqual(['/a', '/b'])
    expect(proposed).toHaveLength(1)
    expect(turn()).toEqual([])
    expect(counters.proposals).toBe(1)
  })

  it('stamps batches with a time that never goes back', () => {
    const { submit, turn, clock, proposals } = bench(LEADER)
    const stamp = () => {
      submit('/a')
      return turn().map(({ payload }) => decodeBatch(payload).timeMs)
    }
    expect(stamp()).toEqual([1000])
    clock.wallMs = 500
    expect(stamp()).toEqual([1000])
    proposals.applied(0, 2000)
    expect(stamp()).toEqual([2000])
    clock.wallMs = 3000.7
    expect(stamp()).toEqual([3000])
  })

  it('lets requests wait while too much is not applied', () => {
    const { submit, turn, proposals } = bench(LEADER)
    submit(`/${'x'.repeat(1000)}`)
    expect(turn()).toHaveLength(1)
    submit('/later')
    expect(turn()).toEqual([])
    proposals.applied(1200, 1000)
    expect(pathsOf(turn())).toEqual(['/later'])
  })

  it('proposes again what Raft refused, before what came later', () => {
    const { submit, turn, proposals } = bench(LEADER)
    submit('/a')
    const [first] = turn()
    submit('/b')
    proposals.refused([{ token: first?.token ?? 0, reason: 'transferring' }])
    expect(pathsOf(turn())).toEqual(['/a', '/b'])
  })

  it('knows its own tokens', () => {
    const { submit, turn, proposals } = bench(LEADER)
    submit('/a')
    const [first] = turn()
    expect(proposals.accepted(99)).toBe(false)
    expect(proposals.accepted(first?.token ?? 0)).toBe(true)
    expect(proposals.accepted(first?.token ?? 0)).toBe(false)
  })
})

describe('a follower', () => {
  it('forwards what waits, and again until the leader has taken it', () => {
    const { submit, turn, sent, proposals } = bench(FOLLOWER)
    submit('/a')
    expect(turn()).toEqual([])
    expect(sent).toEqual([{ to: 'b', frame: expect.objectContaining({ kind: 'forward' }) }])
    proposals.repeatForwards()
    expect(sent).toHaveLength(2)
    expect(sent[1]).toEqual(sent[0])
    const taken = { kind: 'forwardReply', stream: 7, expected: 2, accepted: true } as const
    proposals.forwardAnswered('c', { ...taken, term: 4 })
    proposals.forwardAnswered('b', { ...taken, term: 3 })
    proposals.repeatForwards()
    expect(sent).toHaveLength(3)
    proposals.forwardAnswered('b', { ...taken, term: 4 })
    proposals.repeatForwards()
    expect(sent).toHaveLength(3)
  })

  it('refuses what waits when there is no leader', () => {
    const { submit, turn, counters, submissions } = bench({ ...FOLLOWER, leader: null })
    submit('/a')
    expect(turn()).toEqual([])
    expect(counters.refusedRequests).toBe(1)
    expect(submissions.pendingCount).toBe(0)
  })
})

describe('forwards at the leader', () => {
  const [first, second] = forwards(4, ['/a', '/b'])
  if (first === undefined || second === undefined) throw new Error('two forwards')

  function answers(sent: readonly { frame: PeerFrame }[]): [number, boolean][] {
    return sent.flatMap(({ frame }) =>
      frame.kind === 'forwardReply' ? [[frame.expected, frame.accepted] as [number, boolean]] : [],
    )
  }

  it('are taken once each and in order', () => {
    const { proposals, turn, sent } = bench(LEADER)
    proposals.forwardReceived('b', second)
    expect(turn()).toEqual([])
    proposals.forwardReceived('b', first)
    proposals.forwardReceived('b', first)
    proposals.forwardReceived('b', second)
    expect(pathsOf(turn())).toEqual(['/a', '/b'])
    expect(answers(sent).at(-1)).toEqual([3, true])
  })

  it('of another term, or at another server, are not taken', () => {
    const old = bench({ ...LEADER, term: 5 })
    old.proposals.forwardReceived('b', first)
    expect(old.turn()).toEqual([])
    expect(answers(old.sent)).toEqual([[0, false]])
    const other = bench(FOLLOWER)
    other.proposals.forwardReceived('b', first)
    expect(other.turn()).toEqual([])
    expect(answers(other.sent)).toEqual([[0, false]])
  })

  it.each([
    { what: 'fewer requests than it says', change: { count: 2 } },
    { what: 'more requests than it says', change: { count: 0 } },
    { what: 'a part of a request', change: { requests: first.requests.subarray(0, -1) } },
    {
      what: 'bytes behind its requests',
      change: { requests: Uint8Array.of(...first.requests, 0) },
    },
    { what: 'no bytes at all', change: { requests: new Uint8Array(0) } },
  ])('with $what are refused and counted, and taken when they come whole', ({ change }) => {
    const { proposals, turn, sent, counters } = bench(LEADER)
    proposals.forwardReceived('b', { ...first, ...change })
    expect(turn()).toEqual([])
    expect(answers(sent)).toEqual([[1, true]])
    expect(counters.malformedForwards).toBe(1)
    proposals.forwardReceived('b', first)
    expect(pathsOf(turn())).toEqual(['/a'])
    expect(counters.malformedForwards).toBe(1)
  })
})

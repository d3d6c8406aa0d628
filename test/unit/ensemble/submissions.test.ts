import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Operation, RequestResult } from '../../../server/core/machine/operation.ts'
import type { Outcome, Submission } from '../../../server/ensemble/ensemble.ts'
import { payloadOf, type SealedBatch, Submissions } from '../../../server/ensemble/submissions.ts'
import { decodeBatch } from '../../../server/wire/request-codec.ts'

const ORIGIN = 99
const limits = { batchBytesMax: 1000, pendingRequestsMax: 5, pendingBytesMax: 10_000 }

function submission(path: string): Submission {
  const operation: Operation = { kind: 'delete', path, version: -1 }
  return { session: 1, connection: 2, identities: [], operation }
}

function requestsOf(batch: SealedBatch | null) {
  return batch === null ? [] : decodeBatch(payloadOf(batch, 5, false)).requests
}

function pathsOf(batch: SealedBatch | null): string[] {
  return requestsOf(batch).map(({ operation }) => ('path' in operation ? operation.path : ''))
}

function fill(submissions: Submissions, paths: readonly string[]): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>()
  for (const path of paths) {
    submissions.add(submission(path), (outcome) => outcomes.set(path, outcome))
  }
  return outcomes
}

function settleAll(submissions: Submissions, batch: SealedBatch | null): void {
  for (const request of requestsOf(batch)) {
    const result: RequestResult = {
      request,
      zxid: 1,
      error: ErrorCode.ok,
      result: { kind: 'delete' },
      triggers: [],
      endedSessions: [],
    }
    submissions.settle(result)
  }
}

describe('submissions', () => {
  it('share one batch per turn, in order, and are settled by their results', () => {
    const submissions = new Submissions(ORIGIN, limits)
    const outcomes = fill(submissions, ['/a', '/b'])
    const batch = submissions.takeBatch()
    expect(pathsOf(batch)).toEqual(['/a', '/b'])
    expect(submissions.waiting).toBe(false)
    settleAll(submissions, batch)
    expect([...outcomes.values()].map((outcome) => outcome.kind)).toEqual(['applied', 'applied'])
    expect(submissions.pendingCount).toBe(0)
  })

  it('are refused above the limit', () => {
    const submissions = new Submissions(ORIGIN, limits)
    fill(submissions, ['/1', '/2', '/3', '/4', '/5'])
    expect(submissions.add(submission('/6'), () => {})).toBe(false)
  })

  it('under way are lost when leadership changes; waiting ones stay', () => {
    const submissions = new Submissions(ORIGIN, limits)
    const outcomes = fill(submissions, ['/sent'])
    submissions.takeBatch()
    for (const [path, outcome] of fill(submissions, ['/waits'])) outcomes.set(path, outcome)
    expect(submissions.leadershipChanged()).toBe(1)
    expect(outcomes.get('/sent')).toEqual({ kind: 'lost' })
    expect(outcomes.has('/waits')).toBe(false)
    expect(pathsOf(submissions.takeBatch())).toEqual(['/waits'])
  })

  it('put back keep their order and count as waiting', () => {
    const submissions = new Submissions(ORIGIN, { ...limits, batchBytesMax: 1 })
    const outcomes = fill(submissions, ['/1', '/2', '/3'])
    const first = submissions.takeBatch()
    const second = submissions.takeBatch()
    if (first === null || second === null) throw new Error('two batches were expected')
    submissions.putBack([first, second])
    expect(submissions.leadershipChanged()).toBe(0)
    expect(submissions.refuseWaiting('noLeader')).toBe(3)
    expect([...outcomes.values()]).toEqual(Array(3).fill({ kind: 'refused', reason: 'noLeader' }))
  })

  it('results of other servers settle nobody here', () => {
    const other = new Submissions(ORIGIN + 1, limits)
    fill(other, ['/theirs'])
    const submissions = new Submissions(ORIGIN, limits)
    const outcomes = fill(submissions, ['/ours'])
    settleAll(submissions, other.takeBatch())
    expect(outcomes.size).toBe(0)
  })
})

describe('forwards', () => {
  it('are repeated until taken, and taken once and in order', () => {
    const follower = new Submissions(ORIGIN, limits)
    const leader = new Submissions(ORIGIN + 1, limits)
    fill(follower, ['/1'])
    const [one] = follower.forwardAll(4)
    fill(follower, ['/2'])
    const [two] = follower.forwardAll(4)
    expect([one?.kind, two?.kind]).toEqual(['forward', 'forward'])
    const receive = (frame: typeof one) => {
      if (frame?.kind !== 'forward') throw new Error('a forward was expected')
      if (leader.acceptForward(frame.stream, frame.sequence))
        leader.addForwarded(frame.requests, frame.count)
    }
    receive(two)
    expect(leader.waiting).toBe(false)
    for (const frame of follower.repeatForwards(4)) receive(frame)
    receive(one)
    expect(pathsOf(leader.takeBatch())).toEqual(['/1', '/2'])
    follower.forwardsTaken(ORIGIN, leader.expectedOf(ORIGIN))
    expect(follower.repeatForwards(4)).toEqual([])
  })

  it('are a stream of their own when the same leader is lost and found again', () => {
    const follower = new Submissions(ORIGIN, limits)
    const leader = new Submissions(ORIGIN + 1, limits)
    const send = (path: string) => {
      fill(follower, [path])
      const [frame] = follower.forwardAll(4)
      if (frame?.kind !== 'forward') throw new Error('a forward was expected')
      return frame
    }
    const early = send('/1')
    expect(leader.acceptForward(early.stream, early.sequence)).toBe(true)
    follower.leadershipChanged()
    const late = send('/2')
    follower.forwardsTaken(early.stream, 99)
    expect(follower.repeatForwards(4)).toEqual([late])
    expect(leader.acceptForward(late.stream, late.sequence)).toBe(true)
  })

  it('of a peer that restarted within the term are a stream of their own', () => {
    const leader = new Submissions(ORIGIN + 1, limits)
    for (const sequence of [1, 2, 3]) expect(leader.acceptForward(ORIGIN, sequence)).toBe(true)
    const restarted = new Submissions(ORIGIN + 2, limits)
    fill(restarted, ['/1'])
    const [frame] = restarted.forwardAll(4)
    restarted.forwardsTaken(ORIGIN, leader.expectedOf(ORIGIN))
    expect(restarted.repeatForwards(4)).toEqual([frame])
    expect(frame).toMatchObject({ kind: 'forward', stream: ORIGIN + 2, sequence: 1 })
    expect(leader.acceptForward(ORIGIN + 2, 1)).toBe(true)
    expect(leader.acceptForward(ORIGIN, 3)).toBe(false)
  })

  it('begin anew with each term on both sides', () => {
    const follower = new Submissions(ORIGIN, limits)
    fill(follower, ['/1'])
    follower.forwardAll(4)
    follower.leadershipChanged()
    fill(follower, ['/2'])
    const [frame] = follower.forwardAll(5)
    expect(frame).toMatchObject({ kind: 'forward', term: 5, sequence: 1 })
  })
})

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import type { Member } from '../../../server/core/raft/message.ts'
import type { Identity } from '../../../server/core/tree/acl.ts'
import type { Outcome, Submission } from '../../../server/ensemble/ensemble.ts'
import { RETIRED_PATH, Retirement } from '../../../server/ensemble/retirement.ts'

const ANYONE: readonly Identity[] = [{ scheme: 'ip', id: '127.0.0.1' }]

function member(name: string): Member {
  return {
    id: `id-${name}`,
    name,
    role: 'voter',
    observer: false,
    peerAddress: '',
    clientAddress: '',
    httpAddress: '',
  }
}

/** A real state machine behind a log of its own, that may be made to fail. */
function ensemble() {
  const machine = new StateMachine()
  const failure: { outcome: Outcome | null } = { outcome: null }
  let index = 0
  const submit = (submission: Submission, done: (outcome: Outcome) => void) => {
    if (failure.outcome !== null) return done(failure.outcome)
    index += 1
    const request = { ...submission, origin: 1, ticket: index }
    const entry = { index, term: 1 }
    const [result] = machine.apply(entry, { timeMs: index, requests: [request] }, () => {})
    if (result === undefined) throw new Error('no result')
    done({ kind: 'applied', result })
  }
  const retirement = new Retirement({ machine: () => machine, submit, serversMax: 3 })
  const outcomes: (string | null)[] = []
  const done = (refusal: string | null) => void outcomes.push(refusal)
  return { machine, failure, submit, retirement, outcomes, done }
}

describe('the memory of removed servers', () => {
  it('holds who was removed until it is readmitted, by name', () => {
    const { retirement, outcomes, done } = ensemble()
    expect(retirement.has('id-1')).toBe(false)
    retirement.retire(member('1'), done)
    retirement.retire(member('2'), done)
    expect([retirement.has('id-1'), retirement.has('id-2')]).toEqual([true, true])
    retirement.readmit('1', done)
    retirement.readmit('1', done)
    expect([retirement.has('id-1'), retirement.has('id-2')]).toEqual([false, true])
    expect(outcomes).toEqual([null, null, null, 'unknownMember'])
  })

  it('is written once for one incarnation', () => {
    const { machine, retirement, done } = ensemble()
    retirement.retire(member('1'), done)
    const { lastZxid } = machine
    retirement.retire(member('1'), done)
    expect(machine.lastZxid).toBe(lastZxid)
  })

  it('is bounded: the oldest is forgotten', () => {
    const { retirement, done } = ensemble()
    for (const name of ['1', '2', '3', '4']) retirement.retire(member(name), done)
    expect(['1', '2', '3', '4'].map((name) => retirement.has(`id-${name}`))).toEqual([
      false,
      true,
      true,
      true,
    ])
  })

  it('is what clients read and cannot change', () => {
    const { machine, retirement, submit, done } = ensemble()
    retirement.retire(member('1'), done)
    const errors: number[] = []
    const path = RETIRED_PATH
    for (const operation of [
      { kind: 'delete', path, version: -1 },
      { kind: 'setData', path, data: null, version: -1 },
    ] as const) {
      submit({ session: 0, connection: 0, identities: ANYONE, operation }, (outcome) => {
        if (outcome.kind === 'applied') errors.push(outcome.result.error)
      })
    }
    expect(errors).toEqual([ErrorCode.noAuth, ErrorCode.noAuth])
    const text = Buffer.from(machine.tree.data(path) ?? []).toString()
    expect(JSON.parse(text)).toEqual([{ id: 'id-1', name: '1' }])
  })

  it.each<{ outcome: Outcome; refusal: string }>([
    { outcome: { kind: 'refused', reason: 'noLeader' }, refusal: 'noLeader' },
    { outcome: { kind: 'lost' }, refusal: 'leaderChanged' },
  ])('tells that it could not be written: $refusal', ({ outcome, refusal }) => {
    const { retirement, failure, outcomes, done } = ensemble()
    failure.outcome = outcome
    retirement.retire(member('1'), done)
    expect(outcomes).toEqual([refusal])
    expect(retirement.has('id-1')).toBe(false)
  })
})

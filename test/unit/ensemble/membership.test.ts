import { describe, expect, it } from 'vitest'
import type { Entry, Member } from '../../../server/core/raft/message.ts'
import type { RaftInput, RaftStatus } from '../../../server/core/raft/step.ts'
import type { Environment } from '../../../server/ensemble/environment.ts'
import { Membership } from '../../../server/ensemble/membership.ts'
import type { Transport } from '../../../server/transport/transport.ts'
import type { Hello } from '../../../server/wire/peer-frame.ts'

const OUTCOME_MS = 4_000

function member(name: string): Member {
  return {
    id: `id-${name}`,
    name,
    role: 'voter',
    observer: false,
    peerAddress: `${name}:2888`,
    clientAddress: '',
    httpAddress: '',
  }
}

const HELLO: Hello = {
  name: '1',
  id: 'id-1',
  clusterId: 'c',
  peerAddress: '1:2888',
  clientAddress: '',
  httpAddress: '',
  observer: false,
  versionMax: 1,
}

/** The membership of server 1, which leads three, with Raft in the test's hand. */
function leading() {
  const inputs: Extract<RaftInput, { kind: 'changeMembership' }>[] = []
  const timers: { readonly ms: number; readonly call: () => void }[] = []
  const status: Partial<RaftStatus> = { role: 'leader' }
  const transport: Partial<Transport> = { setTargets: () => {} }
  const environment: Partial<Environment> = {
    after: (ms, call) => {
      timers.push({ ms, call })
      return () => {}
    },
  }
  let token = 0
  const membership = new Membership({
    environment: environment as Environment,
    forming: { kind: 'join', seeds: [] },
    transport: transport as Transport,
    electionTicks: 20,
    promotionLagEntries: 100,
    outcomeMsMax: OUTCOME_MS,
    status: () => status as RaftStatus,
    step: (input) => {
      if (input.kind === 'changeMembership') inputs.push(input)
    },
    token: () => {
      token += 1
      return token
    },
    bootstrap: () => {},
    adopt: () => {},
  })
  membership.notice([member('1'), member('2'), member('3')], HELLO)
  const remove = (name: string) => {
    const outcomes: (string | null)[] = []
    membership.remove(name, (refusal) => void outcomes.push(refusal))
    return outcomes
  }
  /** A removal that Raft took into the log. */
  const removeAt = (name: string, index: number, term: number) => {
    const outcomes = remove(name)
    membership.accepted(token, index, term)
    return outcomes
  }
  return { membership, inputs, timers, remove, removeAt }
}

const entry = (index: number, term: number, kind: Entry['kind'] = 'membership') => ({
  index,
  term,
  kind,
})

describe('a change of the configuration', () => {
  it('is done when its entry is applied, and the next may follow', () => {
    const { membership, inputs, remove, removeAt } = leading()
    const outcomes = removeAt('3', 7, 2)
    expect(inputs[0]?.members.map(({ name }) => name)).toEqual(['1', '2'])
    expect(remove('2')).toEqual(['changeInProgress'])
    membership.applied(entry(6, 2, 'requests'))
    expect(outcomes).toEqual([])
    membership.applied(entry(7, 2))
    expect(outcomes).toEqual([null])
    expect(remove('2')).toEqual([])
    expect(inputs).toHaveLength(2)
  })

  it('is done though it ended the leadership: the leader removed itself', () => {
    const { membership, removeAt } = leading()
    const outcomes = removeAt('1', 7, 2)
    membership.leadershipChanged()
    expect(outcomes).toEqual([])
    membership.applied(entry(7, 2))
    expect(outcomes).toEqual([null])
  })

  it('is done when the next leader commits it', () => {
    const { membership, removeAt } = leading()
    const outcomes = removeAt('2', 7, 2)
    membership.leadershipChanged()
    membership.applied(entry(6, 2, 'requests'))
    membership.applied(entry(7, 2))
    membership.applied(entry(8, 3, 'noop'))
    expect(outcomes).toEqual([null])
  })

  it.each([
    ['another change is at its index', entry(7, 3)],
    ['something else is at its index', entry(7, 3, 'noop')],
    ['an entry of a later term is before it', entry(6, 3, 'noop')],
  ])('is ruled out when %s', (_, applied) => {
    const { membership, removeAt } = leading()
    const outcomes = removeAt('2', 7, 2)
    membership.leadershipChanged()
    membership.applied(applied)
    membership.applied(entry(9, 4))
    expect(outcomes).toEqual(['leaderChanged'])
  })

  it('is told from a later one of this server at the same index', () => {
    const { membership, removeAt } = leading()
    const lost = removeAt('2', 7, 2)
    membership.leadershipChanged()
    const kept = removeAt('3', 7, 4)
    membership.applied(entry(7, 4))
    expect([lost, kept]).toEqual([['leaderChanged'], [null]])
  })

  it('is lost with the leadership when it is in no log', () => {
    const { membership, remove, timers } = leading()
    const outcomes = remove('2')
    membership.leadershipChanged()
    expect([outcomes, timers]).toEqual([['leaderChanged'], []])
  })

  it('is not waited for without end when no leader is heard any more', () => {
    const { membership, removeAt, timers } = leading()
    const outcomes = removeAt('2', 7, 2)
    membership.leadershipChanged()
    const later = removeAt('3', 9, 4)
    expect(timers.map(({ ms }) => ms)).toEqual([OUTCOME_MS])
    timers[0]?.call()
    expect([outcomes, later]).toEqual([['leaderChanged'], []])
    membership.applied(entry(7, 2))
    expect(outcomes).toHaveLength(1)
  })

  it('is not waited for when a snapshot hides its entry', () => {
    const { membership, removeAt } = leading()
    const outcomes = removeAt('2', 7, 2)
    membership.leadershipChanged()
    membership.snapshotInstalled()
    expect(outcomes).toEqual(['leaderChanged'])
  })
})

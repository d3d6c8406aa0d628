import { describe, expect, it } from 'vitest'
import {
  mayServeReadOnly,
  Readiness,
  type ReadinessView,
} from '../../../server/ensemble/readiness.ts'
import { member } from '../../support/raft-cluster.ts'

const READY: ReadinessView = {
  running: true,
  belongs: true,
  id: 'a',
  members: [member('a'), member('b')],
  refused: null,
  leader: 'b',
  formed: true,
  contact: 'fresh',
  installing: false,
  lag: 0,
}

describe('readiness', () => {
  it.each<{ change: Partial<ReadinessView>; reason: string }>([
    { change: {}, reason: '' },
    { change: { running: false }, reason: 'stopping' },
    {
      change: { refused: 'SERVER_RETIRED: server a was removed', leader: null },
      reason: 'SERVER_RETIRED: server a was removed',
    },
    { change: { belongs: false }, reason: 'belongs to no cluster yet' },
    { change: { members: [member('b')] }, reason: 'not in the configuration' },
    {
      change: { members: [member('a', 'learner'), member('b')] },
      reason: 'catching up before promotion',
    },
    {
      change: { members: [{ ...member('a', 'learner'), observer: true }, member('b')] },
      reason: '',
    },
    { change: { leader: null }, reason: 'no leader' },
    {
      change: { formed: false },
      reason: 'too few of the expected voters are in',
    },
    { change: { contact: 'stale' }, reason: 'contact with the leader is stale' },
    { change: { contact: 'lost' }, reason: 'contact with the leader is lost' },
    { change: { installing: true }, reason: 'installing a snapshot' },
    { change: { lag: 101 }, reason: 'catching up with the log' },
    { change: { lag: 100 }, reason: '' },
  ])('$change: "$reason"', ({ change, reason }) => {
    expect(new Readiness(100).refusal({ ...READY, ...change })).toBe(reason)
  })

  it('is lost by far more than it takes to win it', () => {
    const readiness = new Readiness(100)
    const reason = (lag: number) => readiness.refusal({ ...READY, lag })
    expect(reason(500)).toBe('catching up with the log')
    expect(reason(100)).toBe('')
    expect(reason(999)).toBe('')
    expect(reason(1000)).toBe('catching up with the log')
    expect(reason(500)).toBe('')
  })
})

describe('read-only mode', () => {
  const CUT_OFF: ReadinessView = { ...READY, leader: null, contact: 'lost' }

  it('is for members that have lost their leader, with all that they know to be committed', () => {
    expect(mayServeReadOnly(CUT_OFF)).toBe(true)
    const observer = { ...member('a', 'learner'), observer: true }
    expect(mayServeReadOnly({ ...CUT_OFF, members: [observer, member('b')] })).toBe(true)
  })

  it.each<Partial<ReadinessView>>([
    { running: false },
    { belongs: false },
    { members: [member('b')] },
    { members: [member('a', 'learner'), member('b')] },
    { refused: 'SERVER_RETIRED: server a was removed' },
    // It hears a leader that does not hear it: others serve.
    { leader: 'b' },
    { formed: false },
    { contact: 'stale' },
    { contact: 'fresh' },
    { installing: true },
    { lag: 1 },
  ])('is not for $0', (change) => {
    expect(mayServeReadOnly({ ...CUT_OFF, ...change })).toBe(false)
  })
})

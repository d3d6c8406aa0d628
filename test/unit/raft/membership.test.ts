import { describe, expect, it } from 'vitest'
import { isOneChange } from '../../../server/core/raft/membership.ts'
import type { Member } from '../../../server/core/raft/message.ts'
import { member } from '../../support/raft-cluster.ts'

const [a, b, c] = [member('a'), member('b'), member('c')]
const learner = member('d', 'learner')

describe('isOneChange', () => {
  it.each<{ what: string; present: Member[]; next: Member[]; one: boolean }>([
    { what: 'nothing', present: [a, b], next: [a, b], one: false },
    { what: 'the order', present: [a, b], next: [b, a], one: false },
    { what: 'one added', present: [a, b], next: [a, b, c], one: true },
    { what: 'a learner added', present: [a, b], next: [a, b, learner], one: true },
    { what: 'two added', present: [a], next: [a, b, c], one: false },
    { what: 'one removed', present: [a, b, c], next: [a, b], one: true },
    { what: 'two removed', present: [a, b, c], next: [a], one: false },
    { what: 'one for another', present: [a, b], next: [a, c], one: false },
    {
      what: 'a learner made a voter',
      present: [a, learner],
      next: [a, member('d')],
      one: true,
    },
    {
      what: 'a voter made a learner',
      present: [a, b],
      next: [a, member('b', 'learner')],
      one: true,
    },
    {
      what: 'two promoted',
      present: [a, member('b', 'learner'), learner],
      next: [a, b, member('d')],
      one: false,
    },
    {
      what: 'another address',
      present: [a, b],
      next: [a, { ...b, peerAddress: 'elsewhere:1' }],
      one: true,
    },
    {
      what: 'one promoted and another moved',
      present: [a, b, learner],
      next: [a, { ...b, clientAddress: 'elsewhere:2' }, member('d')],
      one: false,
    },
    { what: 'the last voter removed', present: [a, learner], next: [learner], one: false },
    { what: 'nobody left', present: [a], next: [], one: false },
    { what: 'a server listed twice', present: [a], next: [a, b, b], one: false },
    {
      what: 'a name that two have',
      present: [a, b],
      next: [a, b, { ...c, name: b.name }],
      one: false,
    },
  ])('$what: $one', ({ present, next, one }) => {
    expect(isOneChange(present, next)).toBe(one)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ConfigStep,
  canCommit,
  firstConfig,
  hasFreeVote,
  isVoter,
  type SetConfig,
  withMember,
  withoutMember,
  withoutVote,
  withVote,
} from '../../../../agent/core/cluster/mongodb-config.ts'

const host = (ordinal: number) => `q-${ordinal}.q.db.svc.cluster.local:27017`

function set(...votes: readonly (0 | 1)[]): SetConfig {
  const members = votes.map((vote, i) => ({ _id: i, host: host(i), votes: vote, priority: vote }))
  return { _id: 'rs0', version: 5, members }
}

describe('one step of a configuration', () => {
  it('begins with one member that votes, under its DNS name', () => {
    expect(firstConfig('rs0', host(0), 0)).toEqual({
      _id: 'rs0',
      version: 1,
      members: [{ _id: 0, host: host(0) }],
    })
  })

  it('takes a member in without a vote, with its ordinal for an id', () => {
    const config = withMember(set(1), host(1), 1)
    expect(config?.version).toBe(6)
    expect(config?.members[1]).toEqual({ _id: 1, host: host(1), votes: 0, priority: 0 })
  })

  it('takes another id where the ordinal is another’s', () => {
    const config = { ...set(1), members: [{ _id: 1, host: host(0) }] }
    expect(withMember(config, host(1), 1)?.members[1]?._id).toBe(2)
  })

  it('stays within ids of one byte', () => {
    const members = [0, 255].map((_id) => ({ _id, host: host(_id) }))
    expect(withMember({ ...set(), members }, host(300), 300)?.members[2]?._id).toBe(1)
  })

  it('gives a vote, as long as there is one', () => {
    expect(withVote(set(1, 0), host(1))?.members[1]).toMatchObject({ votes: 1, priority: 1 })
    expect(withVote(set(1, 1, 1, 1, 1, 1, 1, 0), host(7))).toBeNull()
  })

  it('gives the vote first and then lets it be elected, beside an arbiter', () => {
    const arbiter = { _id: 9, host: 'elsewhere:27017', votes: 1, priority: 0, arbiterOnly: true }
    const beside = { ...set(1, 0), members: [...set(1, 0).members, arbiter] }
    const first = withVote(beside, host(1))
    expect(first?.members[1]).toMatchObject({ votes: 1, priority: 0 })
    const second = first && withVote(first, host(1))
    expect(second?.members[1]).toMatchObject({ votes: 1, priority: 1 })
    expect(second && withVote(second, host(1))).toBeNull()
    // Without an arbiter it is somebody's wish.
    const wished = first && { ...first, members: first.members.slice(0, 2) }
    expect(wished && withVote(wished, host(1))).toBeNull()
  })

  it('lets nobody be elected that is hidden', () => {
    const config = set(1, 0)
    const hidden = config.members.map((member) => ({ ...member, hidden: member._id === 1 }))
    const step = withVote({ ...config, members: hidden }, host(1))
    expect(step?.members[1]).toMatchObject({ votes: 1, priority: 0 })
    expect(step && withVote(step, host(1))).toBeNull()
  })

  it('takes a vote alone away, which is given back', () => {
    const taken = withoutVote(set(1, 1), host(1))
    expect(taken?.members[1]).toMatchObject({ votes: 0, priority: 0 })
    expect(taken && withVote(taken, host(1))?.members).toEqual(
      withVote(set(1, 0), host(1))?.members,
    )
  })

  it('takes a vote away first, and the member then', () => {
    const first = withoutMember(set(1, 1), host(1))
    expect(first?.members[1]).toMatchObject({ votes: 0, priority: 0 })
    expect(first && withoutMember(first, host(1))?.members).toEqual(set(1).members)
  })

  it.each([
    ['a member that is in', withMember(set(1, 0), host(1), 1)],
    ['a vote of a voter', withVote(set(1, 1), host(1))],
    ['a vote of nobody', withVote(set(1), host(1))],
    ['a vote that is away', withoutVote(set(1, 0), host(1))],
    ['the vote of a member that is out', withoutVote(set(1), host(1))],
    ['a member that is out', withoutMember(set(1), host(1))],
  ])('has nothing to do for %s', (_, step) => {
    expect(step).toBeNull()
  })

  it('keeps what it does not know', () => {
    const tagged = { ...set(1), settings: { electionTimeoutMillis: 5_000 }, term: 3 }
    const members = [{ ...tagged.members[0], tags: { zone: 'a' } }]
    const config = withMember({ ...tagged, members } as SetConfig, host(1), 1)
    const kept = { settings: tagged.settings, term: 3 }
    expect(config).toMatchObject({ ...kept, members: [...members, { _id: 1 }] })
  })

  it('refuses a set that is full', () => {
    const members = Array.from({ length: 50 }, (_, _id) => ({ _id, host: host(_id), votes: 0 }))
    expect(() => withMember({ ...set(), members }, host(50), 50)).toThrow(RangeError)
  })
})

describe('whether a configuration can commit', () => {
  const arbiters = (count: number) =>
    Array.from({ length: count }, (_, n) => {
      return { _id: 20 + n, host: `arbiter-${n}:27017`, votes: 1, priority: 0, arbiterOnly: true }
    })
  it.each<[string, SetConfig, readonly number[], boolean]>([
    ['all serve', set(1, 1, 1), [0, 1, 2], true],
    ['a majority does', set(1, 1, 1), [0, 2], true],
    ['of two one does not', set(1, 1), [0], false],
    ['whoever has no vote is not counted', set(1, 1, 0), [0, 2], false],
    ['nor missed', set(1, 0, 0), [0], true],
    [
      'an arbiter has nothing',
      { ...set(1, 1), members: [...set(1, 1).members, ...arbiters(1)] },
      [0],
      false,
    ],
    [
      'a majority of arbiters is not waited for',
      { ...set(1), members: [...set(1).members, ...arbiters(2)] },
      [0],
      true,
    ],
  ])('%s', (_, config, serving, can) => {
    expect(canCommit(config, new Set(serving.map(host)))).toBe(can)
  })
})

describe('any order of steps', () => {
  const verb = fc.tuple(fc.constantFrom('add', 'vote', 'remove'), fc.integer({ min: 0, max: 11 }))
  const stepOf = (config: SetConfig, name: string, ordinal: number): ConfigStep => {
    if (name === 'add') return withMember(config, host(ordinal), ordinal)
    return name === 'vote' ? withVote(config, host(ordinal)) : withoutMember(config, host(ordinal))
  }

  it('never has eight voters, changes two votes, or lists one host or id twice', () => {
    fc.assert(
      fc.property(fc.array(verb, { maxLength: 80 }), (verbs) => {
        let config = firstConfig('rs0', host(0), 0)
        for (const [name, ordinal] of verbs) {
          const before = config
          config = stepOf(before, name, ordinal) ?? before
          const voters = ({ members }: SetConfig) => members.filter(isVoter).map((m) => m.host)
          const changed = new Set([...voters(before), ...voters(config)]).size * 2
          expect(changed - voters(before).length - voters(config).length).toBeLessThanOrEqual(1)
          expect(voters(config).length).toBeLessThanOrEqual(7)
          expect(new Set(config.members.map((m) => m.host)).size).toBe(config.members.length)
          expect(new Set(config.members.map((m) => m._id)).size).toBe(config.members.length)
          expect(config.version - before.version).toBe(config === before ? 0 : 1)
          for (const m of config.members) if (!isVoter(m)) expect(m.priority).toBe(0)
        }
        expect(hasFreeVote(config.members)).toBe(config.members.filter(isVoter).length < 7)
      }),
    )
  })
})

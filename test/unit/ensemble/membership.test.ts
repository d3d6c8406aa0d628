import { describe, expect, it } from 'vitest'
import type { Entry, Member } from '../../../server/core/raft/message.ts'
import type { RaftInput, RaftStatus } from '../../../server/core/raft/step.ts'
import type { Environment } from '../../../server/ensemble/environment.ts'
import type { Forming } from '../../../server/ensemble/joining.ts'
import { bestSuccessor, Membership } from '../../../server/ensemble/membership.ts'
import type { Retirement } from '../../../server/ensemble/retirement.ts'
import type { Transport } from '../../../server/transport/transport.ts'
import type { Hello, PeerFrame } from '../../../server/wire/peer-frame.ts'

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
function leading(
  forming: Forming = { kind: 'join', seeds: [] },
  listBinds = forming.kind === 'static',
) {
  const inputs: Extract<RaftInput, { kind: 'changeMembership' }>[] = []
  const timers: { readonly ms: number; readonly call: () => void }[] = []
  const members = [member('1'), member('2'), member('3')]
  const status = {
    id: 'id-1',
    role: 'leader' as RaftStatus['role'],
    leader: 'id-1' as string | null,
    committedInTerm: true,
    commit: 5,
    membersIndex: 1,
    members,
    progress: [],
  }
  const retired = new Set<string>()
  /** What the log has of removals: by default all that was committed is known here. */
  const log = { refusal: null as string | null, applied: 5, version: 0 }
  const retirement: Partial<Retirement> = {
    has: (id) => retired.has(id),
    knowsUpTo: (index) => log.applied >= index,
    retire: ({ id }, done) => {
      if (log.refusal === null) retired.add(id)
      done(log.refusal)
    },
    readmit: (name, done) => {
      done(retired.delete(`id-${name}`) ? null : 'unknownMember')
    },
  }
  const sent: PeerFrame[] = []
  const links: Hello[] = []
  const warnings: object[] = []
  const transport: Partial<Transport> = {
    setTargets: () => {},
    links: () => links,
    send: (_to, frame) => void sent.push(frame),
  }
  const environment: Partial<Environment> = {
    log: (_level, _message, fields) => void warnings.push(fields ?? {}),
    after: (ms, call) => {
      timers.push({ ms, call })
      return () => {}
    },
  }
  let token = 0
  const membership = new Membership({
    environment: environment as Environment,
    forming,
    listBinds,
    transport: transport as Transport,
    retirement: retirement as Retirement,
    electionTicks: 20,
    promotionLagEntries: 100,
    outcomeMsMax: OUTCOME_MS,
    versionNeeded: () => log.version,
    status: () => status as Partial<RaftStatus> as RaftStatus,
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
  membership.notice(members, HELLO)
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
  /** Server `name` asks to be taken in; what it is told, and what is changed for it. */
  const join = (name: string, id = `id-${name}`) => {
    const before = inputs.length
    const joiner = { ...HELLO, name, id, peerAddress: `${name}:2888` }
    membership.joinReceived(id, joiner, HELLO)
    const reply = sent.at(-1)
    return {
      refusal: reply?.kind === 'joinReply' ? reply.refusal : undefined,
      changed: inputs.slice(before).map((input) => input.members.map((other) => other.id)),
    }
  }
  /** The removal of a server is done, and the configuration as Raft has it is without it. */
  const removed = (name: string, index: number) => {
    const outcomes = removeAt(name, index, 2)
    status.members = status.members.filter((other) => other.name !== name)
    membership.notice(status.members, HELLO)
    membership.applied(entry(index, 2))
    return outcomes
  }
  return {
    ...{ membership, inputs, timers, remove, removeAt, removed, join },
    ...{ log, status, warnings, links, sent },
  }
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

describe('a server of another build', () => {
  it('is taken in when it can apply the version of the cluster, and told why not else', () => {
    const { join, log } = leading()
    log.version = HELLO.versionMax + 1
    const refusal =
      'SERVER_OUTDATED: server 4 knows cluster version 1 at most, and the ensemble is at 2'
    expect(join('4')).toEqual({ refusal, changed: [] })
    log.version = HELLO.versionMax
    expect(join('4')).toEqual({
      refusal: null,
      changed: [['id-1', 'id-2', 'id-3', 'id-4']],
    })
  })
})

describe('a server that was removed', () => {
  it('is not taken back with the disk that it has', () => {
    const { removed, join } = leading()
    expect(removed('3', 7)).toEqual([null])
    expect(join('3')).toEqual({
      refusal: 'SERVER_RETIRED: server 3 was removed from the ensemble',
      changed: [],
    })
  })

  it('is taken in as a new incarnation', () => {
    const { removed, join } = leading()
    removed('3', 7)
    expect(join('3', 'id-new')).toEqual({ refusal: null, changed: [['id-1', 'id-2', 'id-new']] })
  })

  it('is taken back when it is readmitted, which needs it to be away', () => {
    const { membership, removed, join } = leading()
    const outcomes: (string | null)[] = []
    const readmit = (name: string) => membership.readmit(name, (refusal) => outcomes.push(refusal))
    readmit('3')
    removed('3', 7)
    readmit('3')
    readmit('3')
    expect(outcomes).toEqual(['alreadyMember', null, 'unknownMember'])
    expect(join('3')).toEqual({ refusal: null, changed: [['id-1', 'id-2', 'id-3']] })
  })

  it('is unknown only to a leader whose configuration has committed', () => {
    const { remove, status, membership } = leading()
    status.members = status.members.filter(({ name }) => name !== '3')
    membership.notice(status.members, HELLO)
    status.membersIndex = 6
    expect(remove('3')).toEqual(['changeInProgress'])
    status.membersIndex = 5
    expect(remove('3')).toEqual(['unknownMember'])
    status.role = 'follower'
    expect(remove('3')).toEqual(['notLeader'])
  })

  it('waits for a new leader that has removals to apply yet', () => {
    const { removed, join, log, status } = leading()
    removed('3', 7)
    log.applied = 4
    expect(join('3')).toEqual({ refusal: null, changed: [] })
    log.applied = 5
    status.committedInTerm = false
    expect(join('3')).toEqual({ refusal: null, changed: [] })
  })

  it('belongs where a static list says so', () => {
    const servers = ['1', '2', '3'].map((name) => ({
      name,
      peerAddress: `${name}:2888`,
      observer: false,
    }))
    const { removed, join } = leading({ kind: 'static', servers })
    removed('3', 7)
    expect(join('3')).toEqual({ refusal: null, changed: [['id-1', 'id-2', 'id-3']] })
  })

  it('stays out of a static list that only formed the ensemble, whose others may come', () => {
    const servers = ['1', '2', '3'].map((name) => ({
      name,
      peerAddress: `${name}:2888`,
      observer: false,
    }))
    const { removed, join } = leading({ kind: 'static', servers }, false)
    removed('3', 7)
    const refusal = 'SERVER_RETIRED: server 3 was removed from the ensemble'
    expect(join('3')).toEqual({ refusal, changed: [] })
    expect(join('4')).toEqual({ refusal: null, changed: [['id-1', 'id-2', 'id-4']] })
  })

  it('stays when its removal cannot be noted, except before anything was written', () => {
    const { remove, inputs, log } = leading()
    log.refusal = 'noLeader'
    expect(remove('3')).toEqual(['noLeader'])
    expect(inputs).toEqual([])
    log.refusal = 'notFormed'
    expect(remove('3')).toEqual([])
    expect(inputs).toHaveLength(1)
  })

  it('says once why it is refused, and forgets it when it is in', () => {
    const { membership, warnings } = leading()
    const refusal = 'SERVER_RETIRED: server 1 was removed from the ensemble'
    const reply = {
      kind: 'joinReply',
      clusterId: 'c',
      leader: 'id-2',
      members: [],
      refusal,
    } as const
    membership.joinAnswered(reply, HELLO)
    membership.joinAnswered(reply, HELLO)
    expect(warnings).toEqual([{ reason: refusal }])
    expect(membership.refusal).toBe(refusal)
    membership.seek(HELLO)
    expect(membership.refusal).toBeNull()
  })
})

describe('a server with the directory of another cluster', () => {
  it('serves nobody, though it may lead there, until the others are no more of another', () => {
    const servers = ['1', '2', '3'].map((name) => ({
      name,
      peerAddress: `${name}:2888`,
      observer: false,
    }))
    const { membership, warnings, links, sent } = leading({ kind: 'static', servers })
    membership.notice([member('1')], HELLO)
    for (const name of ['2', '3']) {
      links.push({ ...HELLO, name, id: `id-${name}`, clusterId: 'other' })
    }
    membership.seek(HELLO)
    membership.seek(HELLO)
    const reason = membership.refusal
    expect(reason).toBe(
      'DATA_FOREIGN_CLUSTER: the data directory of server 1 is of cluster c (its identity.json), ' +
        'and the other servers are of cluster other',
    )
    expect([warnings, sent]).toEqual([[{ reason }], []])
    links.length = 0
    membership.seek(HELLO)
    expect(membership.refusal).toBeNull()
  })
})

describe('the successor of a leader', () => {
  const follower = (name: string, match: number, silentTicks = 0) => ({
    peer: `id-${name}`,
    match,
    state: 'replicate' as const,
    silentTicks,
  })
  const status: Partial<RaftStatus> = {
    id: 'id-1',
    members: [member('1'), member('2'), member('3'), { ...member('4'), role: 'learner' }],
    progress: [follower('2', 7), follower('3', 9, 21), follower('4', 9)],
  }
  const successor = (wanted: string | null) => bestSuccessor(status as RaftStatus, 20, wanted)

  it('is a voter that answers', () => {
    expect(successor(null)).toBe('id-2')
  })

  it('that is wanted must be one, too', () => {
    expect(successor('id-2')).toBe('id-2')
    expect(successor('id-3')).toBeNull()
    expect(successor('id-4')).toBeNull()
    expect(successor('id-1')).toBeNull()
  })
})

import { describe, expect, it } from 'vitest'
import { SINCE_VERSION } from '../../../server/core/machine/cluster-version.ts'
import type { Member } from '../../../server/core/raft/message.ts'
import type { RaftStatus } from '../../../server/core/raft/step.ts'
import { configText } from '../../../server/ensemble/dynamic-config.ts'
import type { Environment } from '../../../server/ensemble/environment.ts'
import { Reconfiguration } from '../../../server/ensemble/reconfiguration.ts'
import type { Hello } from '../../../server/wire/peer-frame.ts'
import { Driver, SUPER } from '../machine/driver.ts'

const WITHIN_MS = 20_000

function member(name: string, changes: Partial<Member> = {}): Member {
  return {
    id: `id-${name}`,
    name,
    role: 'voter',
    observer: false,
    peerAddress: `host${name}:2888`,
    clientAddress: `host${name}:2181`,
    httpAddress: '',
    ...changes,
  }
}

const line = (name: string, role = 'participant', client = `host${name}:2181`) =>
  `server.${name}=host${name}:2888:3888:${role};${client}`

/** A leader, server 1 of three, whose changes happen at once. */
function leader(options: { readonly enabled?: boolean } = {}) {
  const driver = new Driver()
  driver.ok({ kind: 'setClusterVersion', version: SINCE_VERSION.quotas })
  const state = {
    members: [member('1'), member('2'), member('3')] as readonly Member[],
    links: [] as Partial<Hello>[],
    silentTicks: new Map<string, number>(),
    role: 'leader' as RaftStatus['role'],
    nowMs: 0,
    refusal: null as string | null,
  }
  const calls: string[] = []
  const write = (servers: string) =>
    driver.apply({ kind: 'setConfig', servers: new TextEncoder().encode(servers) })
  write(configText(state.members, []))
  const settle = (call: string, done: (refusal: string | null) => void, change: () => void) => {
    calls.push(call)
    if (state.refusal === null) change()
    done(state.refusal)
  }
  const environment: Partial<Environment> = { nowMs: () => state.nowMs }
  const status = () => ({
    role: state.role,
    id: 'id-1',
    progress: state.members.map(({ id, name }) => ({
      peer: id,
      match: 0,
      state: 'replicate' as const,
      silentTicks: state.silentTicks.get(name) ?? 0,
    })),
  })
  const reconfiguration = new Reconfiguration({
    environment: environment as Environment,
    enabled: options.enabled ?? true,
    machine: () => driver.machine,
    members: () => state.members,
    status: () => status() as Partial<RaftStatus> as RaftStatus,
    links: () => state.links as Hello[],
    membership: {
      change: (members, done) =>
        settle(`roles ${members.map(({ role }) => role)}`, done, () => {
          state.members = members
        }),
      remove: (name, done) =>
        settle(`remove ${name}`, done, () => {
          state.members = state.members.filter((each) => each.name !== name)
        }),
      readmit: (name, done) => settle(`readmit ${name}`, done, () => {}),
    },
    submit: (operation, done) => {
      calls.push('write')
      done({ kind: 'applied', result: driver.apply(operation) })
    },
    electionTicks: 20,
    withinMs: WITHIN_MS,
  })
  const codes: (number | null)[] = []
  const ask = (
    change: { joining?: string; leaving?: string; newMembers?: string; configId?: number },
    identities = SUPER.identities,
  ) => {
    const request = { joining: null, leaving: null, newMembers: null, configId: -1, ...change }
    reconfiguration.begin(request, identities, (code) => codes.push(code))
    return codes.at(-1)
  }
  const tick = () => {
    state.nowMs += 50
    reconfiguration.tick()
  }
  const text = () => driver.data('/zookeeper/config')
  return { driver, state, calls, codes, ask, tick, text, reconfiguration }
}

describe('a reconfiguration', () => {
  it('asks who wants it before it looks for servers that are not there', () => {
    const { ask } = leader()
    expect(ask({ joining: line('9', 'observer') }, [])).toBe(-102)
    expect(ask({ joining: line('9') }, [])).toBe(-102)
    expect(ask({ joining: line('9', 'observer') })).toBe(-13)
    expect(ask({ joining: line('9') })).toBe(-13)
  })

  it('is refused where it is switched off, and unknown to one that does not lead', () => {
    expect(leader({ enabled: false }).ask({})).toBe(-123)
    const { state, ask } = leader()
    state.role = 'follower'
    expect(ask({})).toBeNull()
  })

  it('asks for the right to write last', () => {
    const { ask, calls } = leader()
    expect(ask({ leaving: '3' }, [])).toBe(-102)
    expect(ask({ leaving: '3', configId: 1 }, [])).toBe(-103)
    expect(ask({ leaving: 'x' }, [])).toBe(-5)
    expect(calls).toEqual([])
  })

  it('removes servers one after the other, itself last, and writes once', () => {
    const { state, calls, codes, ask, tick, text, driver } = leader()
    state.members = [...state.members, member('4'), member('5')]
    expect(ask({})).toBe(-14)
    driver.apply({
      kind: 'setConfig',
      servers: new TextEncoder().encode(configText(state.members, [])),
    })
    ask({ leaving: '1, 4,3' })
    for (let i = 0; i < 4; i += 1) tick()
    expect(calls).toEqual(['remove 3', 'remove 4', 'remove 1', 'write'])
    expect(codes.at(-1)).toBe(0)
    const version = driver.machine.lastZxid.toString(16)
    expect(text()).toBe(`${line('2')}\n${line('5')}\nversion=${version}`)
  })

  it('keeps a server that stood alone, whose address for clients is not told', () => {
    const { state, calls, codes, ask, tick, text, driver } = leader()
    const alone = { peerAddress: 'localhost:2888', clientAddress: 'localhost:2181' }
    state.members = [member('1', alone)]
    const servers = configText(state.members, [])
    driver.apply({ kind: 'setConfig', servers: new TextEncoder().encode(servers) })
    state.links = [{ name: '4', peerAddress: 'host4:2888', clientAddress: 'host4:2181' }]
    ask({ joining: line('4') })
    tick()
    state.members = [...state.members, member('4')]
    tick()
    expect(calls).toEqual(['readmit 4', 'write'])
    expect(codes).toEqual([0])
    expect(text()).toContain('server.1=localhost:2888:3888:participant;localhost:2181\n')
  })

  it('lets a server in again that was removed, and waits for its vote', () => {
    const { state, calls, codes, ask, tick } = leader()
    const joining = line('4')
    expect(ask({ joining })).toBe(-13)
    state.links = [{ name: '4', peerAddress: 'host4:2888', clientAddress: 'host4:2181' }]
    ask({ joining })
    tick()
    expect(calls).toEqual(['readmit 4'])
    expect(ask({})).toBe(-14)
    state.members = [...state.members, member('4', { role: 'learner' })]
    tick()
    expect(codes).toEqual([-13, -14])
    state.members = [...state.members.slice(0, 3), member('4')]
    tick()
    expect(calls).toEqual(['readmit 4', 'write'])
    expect(codes.at(-1)).toBe(0)
  })

  it('gives a server up that does not come', () => {
    const { state, codes, ask, tick, calls } = leader()
    state.links = [{ name: '4', peerAddress: 'host4:2888', clientAddress: 'host4:2181' }]
    ask({ joining: line('4'), leaving: '3' })
    tick()
    state.nowMs += WITHIN_MS
    tick()
    expect(codes).toEqual([-13])
    expect(calls).toEqual(['readmit 4'])
  })

  it('changes roles by the whole list, and knows servers by the numbers they were given', () => {
    const { state, calls, codes, ask, tick, text, driver } = leader()
    state.members = ['red', 'blue', 'green'].map((name) => member(name))
    const present = configText(state.members, [])
    driver.apply({ kind: 'setConfig', servers: new TextEncoder().encode(present) })
    const wanted = present.replace('server.2=hostblue:2888:3888:participant', (all) =>
      all.replace('participant', 'observer'),
    )
    ask({ newMembers: wanted })
    tick()
    tick()
    expect(calls).toEqual(['roles voter,learner,voter', 'write'])
    expect(codes).toEqual([0])
    expect(text()).toContain(wanted)
  })

  it.each([
    ['another address', line('2').replace('host2:2888', 'elsewhere:2888')],
    ['another client port', line('2', 'participant', 'host2:9')],
    ['another number', line('2').replace('server.2', 'server.7')],
  ])('does not give a server %s', (_what, joining) => {
    expect(leader().ask({ joining })).toBe(-8)
  })

  it('takes a client address without a host for the server’s own', () => {
    expect(leader().ask({ joining: line('2', 'participant', '2181') })).toBe(0)
  })

  it('needs a majority of the new voters to answer', () => {
    const { state, codes, ask } = leader()
    state.silentTicks.set('2', 21)
    expect(ask({ leaving: '3' })).toBe(-13)
    ask({ leaving: '2' })
    expect(codes).toEqual([-13])
  })

  it('is lost with its leader, and tried again when a change is in the way', () => {
    const { state, codes, ask, tick, reconfiguration, calls } = leader()
    state.refusal = 'changeInProgress'
    ask({ leaving: '3' })
    tick()
    expect(codes).toEqual([])
    state.refusal = 'leaderChanged'
    tick()
    expect(codes).toEqual([null])
    state.refusal = 'changeInProgress'
    ask({ leaving: '3' })
    reconfiguration.rest()
    expect(codes).toEqual([null, null])
    expect(calls.every((call) => call === 'remove 3')).toBe(true)
  })
})

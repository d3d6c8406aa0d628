import { describe, expect, it } from 'vitest'
import { SINCE_VERSION } from '../../../server/core/machine/cluster-version.ts'
import type { Operation } from '../../../server/core/machine/operation.ts'
import type { Member } from '../../../server/core/raft/message.ts'
import { ConfigDuty } from '../../../server/ensemble/config-duty.ts'
import { configText, parseConfig, serversOf } from '../../../server/ensemble/dynamic-config.ts'
import { Driver } from '../machine/driver.ts'

function member(name: string, changes: Partial<Member> = {}): Member {
  return {
    id: `id of ${name}`,
    name,
    role: 'voter',
    observer: false,
    peerAddress: `${name}.example:2888`,
    clientAddress: `${name}.example:2181`,
    httpAddress: '',
    ...changes,
  }
}

const numbers = (names: readonly string[], present = '') =>
  parseConfig(
    configText(
      names.map((name) => member(name)),
      parseConfig(present),
    ),
  ).map(({ number, peerAddress }) => `${number} ${peerAddress.split('.')[0]}`)

describe('the configuration as ZooKeeper writes it', () => {
  it('has a line for each server, by number, with its role and addresses', () => {
    const members = [
      member('10', { role: 'learner', observer: true }),
      member('2'),
      member('3', { role: 'learner' }),
      member('1', { peerAddress: '[::1]:2888', clientAddress: '[::1]:2181' }),
    ]
    expect(configText(members, [])).toBe(
      'server.1=[::1]:2888:3888:participant;[::1]:2181\n' +
        'server.2=2.example:2888:3888:participant;2.example:2181\n' +
        'server.10=10.example:2888:3888:observer;10.example:2181\n',
    )
  })

  it('never names one port twice for a server, which ZooKeeper takes for a mistake', () => {
    const high = member('1', { peerAddress: '1.example:65000' })
    expect(configText([high], [])).toBe(
      'server.1=1.example:65000:64000:participant;1.example:2181\n',
    )
  })

  it('does not send clients of a server that stands alone to their own machines', () => {
    const alone = member('1', { peerAddress: 'localhost:2888', clientAddress: 'localhost:2181' })
    const text = configText([alone], [])
    expect(text).toBe('server.1=localhost:2888:3888:participant\n')
    expect(parseConfig(text)).toEqual([
      { number: 1, peerAddress: 'localhost:2888', role: 'participant', clientAddress: '' },
    ])
    expect(configText([alone, member('2')], [])).toContain('participant;localhost:2181\n')
  })

  it('numbers servers by their names where these are numbers, else by their ordinals', () => {
    expect(numbers(['2', '1'])).toEqual(['1 1', '2 2'])
    expect(numbers(['q-1', 'q-0', 'q-2'])).toEqual(['1 q-0', '2 q-1', '3 q-2'])
    expect(numbers(['red', 'blue', '1'])).toEqual(['1 1', '2 red', '3 blue'])
    expect(numbers(['a-0', 'b-0'])).toEqual(['1 a-0', '2 b-0'])
  })

  it('keeps the number that a server was given', () => {
    const first = configText([member('red'), member('blue'), member('green')], [])
    expect(numbers(['green', 'blue'], first)).toEqual(['2 blue', '3 green'])
    expect(numbers(['yellow', 'green', 'blue'], first)).toEqual(['1 yellow', '2 blue', '3 green'])
  })
})

describe('a leader', () => {
  function leader(members: readonly Member[]) {
    const driver = new Driver()
    const state = { members, paused: false }
    const waiting: (() => void)[] = []
    const asked: Operation[] = []
    const duty = new ConfigDuty({
      machine: () => driver.machine,
      members: () => state.members,
      paused: () => state.paused,
      submit: (operation, done) => {
        asked.push(operation)
        waiting.push(() => {
          driver.apply(operation)
          done()
        })
      },
    })
    return { driver, duty, state, asked, settle: () => waiting.shift()?.() }
  }

  it('writes it once, and again when the members change', () => {
    const { driver, duty, state, asked, settle } = leader([member('1')])
    duty.tick()
    expect(asked).toEqual([])
    driver.ok({ kind: 'setClusterVersion', version: SINCE_VERSION.quotas })
    duty.tick()
    duty.tick()
    expect(asked).toHaveLength(1)
    settle()
    const zxid = driver.machine.lastZxid
    const text = driver.data('/zookeeper/config') ?? ''
    expect(text).toBe(
      `server.1=1.example:2888:3888:participant;1.example:2181\nversion=${zxid.toString(16)}`,
    )
    expect(driver.stat('/zookeeper/config')).toMatchObject({
      version: -1,
      mzxid: zxid,
      aversion: -1,
    })
    duty.tick()
    expect(asked).toHaveLength(1)
    state.members = [member('1'), member('2')]
    state.paused = true
    duty.tick()
    expect(asked).toHaveLength(1)
    state.paused = false
    duty.tick()
    settle()
    expect(serversOf(driver.data('/zookeeper/config') ?? '')).toBe(configText(state.members, []))
  })

  it('tells the watches of it', () => {
    const { driver } = leader([])
    const servers = new TextEncoder().encode('server.1=a:1:1:participant;a:2\n')
    const { triggers } = driver.apply({ kind: 'setConfig', servers })
    expect(triggers.map(({ event, path }) => `${event} ${path}`)).toEqual([
      'dataChanged /zookeeper/config',
    ])
  })
})

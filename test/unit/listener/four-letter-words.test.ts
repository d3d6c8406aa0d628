import { describe, expect, it } from 'vitest'
import { answerWord, isWord, type WordContext } from '../../../server/listener/four-letter-words.ts'
import { creation, ListenerHarness } from './client-harness.ts'
import { MEMBER } from './manual-ensemble.ts'

const ALL = ['*']

function contextOf(harness: ListenerHarness): WordContext {
  return {
    ensemble: harness.ensemble,
    registry: harness.registry,
    stats: harness.stats,
    version: '0.1.0-abc',
    builtOn: '11/21/2026 07:00 UTC',
    startedAtMs: 1_000,
    nowMs: () => 4_500,
    configuration: [
      ['clientPort', '2181'],
      ['tickTime', '2000'],
    ],
    directories: () => ({ dataBytes: 12, logBytes: 34 }),
  }
}

function ask(harness: ListenerHarness, word: string, allowed: readonly string[] = ALL): string {
  return answerWord(word, allowed, contextOf(harness))
}

function monitored(harness: ListenerHarness): Map<string, string> {
  const rows = ask(harness, 'mntr')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
  for (const row of rows) expect(row).toHaveLength(2)
  return new Map(rows as [string, string][])
}

describe('four-letter words', () => {
  it('are four small letters', () => {
    expect(['ruok', 'abcd'].every(isWord)).toBe(true)
    expect(['RUOK', 'ru k', '\0\0\0\x2c', 'ruo', 'ruokk'].some(isWord)).toBe(false)
  })

  it('have short answers without a newline', () => {
    const harness = new ListenerHarness()
    expect([ask(harness, 'ruok'), ask(harness, 'isro')]).toEqual(['imok', 'rw'])
  })

  it('that are unknown get no answer; those not allowed get the sentence that tools look for', () => {
    const harness = new ListenerHarness()
    expect(ask(harness, 'wxyz')).toBe('')
    expect(ask(harness, 'mntr', ['ruok'])).toBe(
      'mntr is not executed because it is not in the whitelist.\n',
    )
    expect(ask(harness, 'ruok', ['ruok'])).toBe('imok')
    expect(ask(harness, 'ruok', [])).toContain('not in the whitelist')
  })

  it('srvr, line by line as clients parse it', () => {
    const harness = new ListenerHarness()
    harness.open()
    harness.ensemble.applyForeign(creation('/a'))
    harness.stats.answered(0.4, false)
    harness.stats.answered(2.35, true)
    expect(ask(harness, 'srvr')).toBe(
      [
        'Zookeeper version: 0.1.0-abc, built on 11/21/2026 07:00 UTC',
        'Latency min/avg/max: 0/1.375/2',
        'Received: 1',
        'Sent: 1',
        'Connections: 1',
        'Outstanding: 0',
        'Zxid: 0x2',
        'Mode: standalone',
        'Node count: 5',
        '',
      ].join('\n'),
    )
  })

  it('stat, with the clients between', () => {
    const harness = new ListenerHarness()
    const client = harness.open({}, '10.0.0.7')
    client.read(1, { kind: 'exists', path: '/', watch: false })
    client.write(2, creation('/a'))
    const lines = ask(harness, 'stat').split('\n')
    expect(lines[0]).toMatch(/^Zookeeper version: /)
    expect(lines.slice(1, 4)).toEqual(['Clients:', ' /10.0.0.7:0[1](queued=1,recved=3,sent=2)', ''])
    expect(lines[4]).toMatch(/^Latency /)
  })

  it('cons, with sessions and timeouts', () => {
    const harness = new ListenerHarness()
    harness.open()
    expect(ask(harness, 'cons')).toMatch(
      /^ \/127\.0\.0\.1:0\[1\]\(queued=0,recved=1,sent=1,sid=0x1,est=\d+,to=10000,lzxid=0x0\)\n\n$/,
    )
  })

  it('mntr, as name, tab, value, with the prefix of ZooKeeper', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/e', 'data', 'ephemeral'))
    harness.ensemble.commitAll()
    client.read(2, { kind: 'exists', path: '/e', watch: true })
    client.write(3, creation('/b'))
    const values = monitored(harness)
    expect([...values.keys()].every((name) => name.startsWith('zk_'))).toBe(true)
    expect(Object.fromEntries(values)).toMatchObject({
      zk_version: '0.1.0-abc, built on 11/21/2026 07:00 UTC',
      zk_server_state: 'standalone',
      zk_znode_count: '5',
      zk_watch_count: '1',
      zk_ephemerals_count: '1',
      zk_num_alive_connections: '1',
      zk_outstanding_requests: '1',
      zk_packets_received: '4',
      zk_packets_sent: '3',
      zk_global_sessions: '1',
      zk_uptime: '3500',
      zk_connection_rejected: '0',
      zk_connection_drop_count: '0',
      zk_auth_failed_count: '0',
      zk_min_latency: '0',
      zk_max_latency: '0',
    })
    expect(values.get('zk_approximate_data_size')).toMatch(/^\d+$/)
  })

  it('mntr of a leader counts its followers, of a follower does not', () => {
    const harness = new ListenerHarness()
    const { ensemble } = harness
    ensemble.members = [
      MEMBER,
      { ...MEMBER, id: 'id-2', name: '2' },
      { ...MEMBER, id: 'id-3', name: '3' },
      { ...MEMBER, id: 'id-4', name: '4', role: 'learner', observer: true },
    ]
    const progress = { match: 1, silentTicks: 0 }
    ensemble.progress = [
      { peer: 'id-2', state: 'replicate', ...progress },
      { peer: 'id-3', state: 'snapshot', ...progress },
      { peer: 'id-4', state: 'replicate', ...progress },
    ]
    expect(Object.fromEntries(monitored(harness))).toMatchObject({
      zk_server_state: 'leader',
      zk_learners: '3',
      zk_followers: '2',
      zk_synced_followers: '1',
      zk_synced_observers: '1',
    })
    ensemble.role = 'follower'
    const follower = monitored(harness)
    expect(follower.get('zk_server_state')).toBe('follower')
    expect(follower.has('zk_followers')).toBe(false)
    ensemble.role = 'learner'
    expect(ask(harness, 'srvr')).toContain('Mode: observer\n')
  })

  it('conf, dirs, wchs and srst', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.read(1, { kind: 'exists', path: '/a', watch: true })
    client.read(2, { kind: 'exists', path: '/b', watch: true })
    expect(ask(harness, 'conf')).toBe('clientPort=2181\ntickTime=2000\n')
    expect(ask(harness, 'dirs')).toBe('datadir_size: 12\nlogdir_size: 34\n')
    expect(ask(harness, 'wchs')).toBe('1 connections watching 2 paths\nTotal watches:2\n')
    expect(ask(harness, 'srst')).toBe('Server stats reset.\n')
    expect(ask(harness, 'srvr')).toContain('Received: 0\nSent: 0\n')
  })

  it('say that the server does not serve, but for those that need no service', () => {
    const harness = new ListenerHarness()
    harness.ensemble.ready = false
    const refusal = 'This ZooKeeper instance is not currently serving requests\n'
    for (const word of ['srvr', 'stat', 'mntr', 'cons', 'wchs']) {
      expect(ask(harness, word)).toBe(refusal)
    }
    expect(ask(harness, 'isro')).toBe('null')
    expect(ask(harness, 'ruok')).toBe('imok')
    expect(ask(harness, 'conf')).toContain('clientPort')
  })
})

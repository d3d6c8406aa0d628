import { describe, expect, it } from 'vitest'
import { answerWord, isWord, wordBytes } from '../../../server/listener/four-letter-words.ts'
import type { WordContext } from '../../../server/listener/word-context.ts'
import { creation, ListenerHarness } from './client-harness.ts'
import { MEMBER } from './manual-ensemble.ts'
import { wordSource } from './word-source.ts'

const ALL = ['*']
const ASKER = { address: '10.1.1.1', port: 999 }

function contextOf(harness: ListenerHarness): WordContext {
  const { ensemble, registry, stats } = harness
  return { ...wordSource(), nowMs: () => harness.nowMs, ensemble, registry, stats }
}

function ask(harness: ListenerHarness, word: string, allowed: readonly string[] = ALL): string {
  return answerWord(Buffer.from(word, 'latin1'), allowed, contextOf(harness), null)
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
        // The client's handshake, and the word itself.
        'Received: 2',
        'Sent: 2',
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
      /^ \/127\.0\.0\.1:0\[1\]\(queued=0,recved=1,sent=1,sid=0x1,lop=SESS,est=\d+,to=10000,lcxid=0x0,lzxid=0x1,lresp=1000,llat=0,minlat=0,avglat=0,maxlat=0\)\n\n$/,
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
      zk_packets_received: '5',
      zk_packets_sent: '4',
      zk_global_sessions: '1',
      zk_uptime: '0',
      zk_avg_latency: '0.0',
      zk_cnt_readlatency: '1',
      zk_p99_updatelatency: '0',
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

  it('conf, with more lines on a server of an ensemble', () => {
    const harness = new ListenerHarness()
    const alone = [
      'clientPort=2181',
      'secureClientPort=-1',
      'dataDir=/data',
      'dataDirSize=12',
      'dataLogDir=/log',
      'dataLogSize=34',
      'tickTime=2000',
      'maxClientCnxns=0',
      'minSessionTimeout=4000',
      'maxSessionTimeout=40000',
      'clientPortListenBacklog=-1',
      'serverId=1',
      '',
    ].join('\n')
    expect(ask(harness, 'conf')).toBe(alone)
    harness.ensemble.members = [MEMBER, { ...MEMBER, id: 'id-2', name: '2', observer: true }]
    expect(ask(harness, 'conf')).toMatch(/\nmembership: \nversion=0$/)
    const servers = Buffer.from('server.1=a:1:1:participant;b:2\nserver.2=c:1:1:observer;d:2\n')
    harness.ensemble.applyForeign({ kind: 'setConfig', servers })
    expect(ask(harness, 'conf').slice(alone.length)).toBe(
      [
        'initLimit=1',
        'syncLimit=1',
        'electionAlg=3',
        'electionPort=3888',
        'quorumPort=2888',
        'peerType=0',
        'membership: ',
        'server.1=a:1:1:participant;b:2',
        'server.2=c:1:1:observer;d:2',
        'version=1',
      ].join('\n'),
    )
  })

  it('dirs and srst', () => {
    const harness = new ListenerHarness()
    harness.open()
    harness.ensemble.measures.proposalBytes.note(7)
    expect(ask(harness, 'dirs')).toBe('datadir_size: 12\nlogdir_size: 34\n')
    expect(ask(harness, 'srst')).toBe('Server stats reset.\n')
    expect(ask(harness, 'srvr')).toContain('Received: 1\nSent: 1\n')
    expect(harness.ensemble.measures.proposalBytes.max).toBe(-1)
  })

  it('count and list the connection of the one who asks', () => {
    const harness = new ListenerHarness()
    harness.open()
    const asked = (word: string) => answerWord(Buffer.from(word), ALL, contextOf(harness), ASKER)
    expect(asked('srvr')).toContain('Connections: 2\n')
    expect(asked('mntr')).toContain('zk_num_alive_connections\t2\n')
    expect(asked('cons')).toMatch(/^ \/10\.1\.1\.1:999\[0\]\(queued=0,recved=1,sent=0\)\n /)
    expect(asked('dump')).toMatch(
      /Connections Sets \(1\)\/\(2\):\n2 expire at .+ 2026:\n\tip: \/10\.1\.1\.1:999 sessionId: 0x0\n\tip: \/127\.0\.0\.1:0 sessionId: 0x1\n$/,
    )
  })

  it('cons tells of the last request, and crst forgets it', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(7, creation('/a'))
    harness.nowMs += 20
    harness.ensemble.commitAll()
    const cons = ask(harness, 'cons')
    expect(cons).toContain('lop=CREA,')
    expect(cons).toContain('lcxid=0x7,lzxid=0x2,lresp=1020,llat=20,minlat=0,avglat=10,maxlat=20)')
    client.ping()
    expect(ask(harness, 'cons')).toMatch(/lop=PING,.*,lcxid=0x7,/)
    expect(ask(harness, 'crst')).toBe('Connection stats reset.\n')
    expect(ask(harness, 'cons')).toMatch(
      /recved=0,sent=0,sid=0x1,lop=NA,est=\d+,to=10000,lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0\)/,
    )
  })

  it('wchs, wchc and wchp, without watches on children alone', () => {
    const harness = new ListenerHarness()
    const one = harness.open()
    const two = harness.open()
    one.read(1, { kind: 'exists', path: '/a', watch: true })
    one.read(2, { kind: 'getData', path: '/', watch: true })
    one.read(3, { kind: 'exists', path: '/', watch: true })
    two.read(1, { kind: 'exists', path: '/a', watch: true })
    two.read(2, { kind: 'getChildren', path: '/', watch: true })
    expect(ask(harness, 'wchs')).toBe('2 connections watching 2 paths\nTotal watches:3\n')
    expect(ask(harness, 'wchc')).toBe('0x1\n\t/\n\t/a\n0x2\n\t/a\n\n')
    expect(ask(harness, 'wchp')).toBe('/\n\t0x1\n/a\n\t0x1\n\t0x2\n\n')
  })

  it('stop where a list grows too long, and say so', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    for (let n = 0; n < 9; n += 1) {
      client.read(n, { kind: 'exists', path: `/${n}`, watch: true })
      client.write(100 + n, creation(`/e${n}`, '', 'ephemeral'))
    }
    harness.ensemble.commitAll()
    const short = { ...contextOf(harness), listedMax: 5 }
    const asked = (word: string) => answerWord(Buffer.from(word), ALL, short, null)
    expect(asked('wchp').split('\n')).toHaveLength(2 * 5 + 3)
    expect(asked('wchp')).toMatch(/\(cut after 5 watches\)\n\n$/)
    expect(asked('wchc')).toMatch(/^0x1\n(\t\/\d\n){5}\(cut after 5 watches\)\n\n$/)
    for (let n = 0; n < 9; n += 1) harness.open()
    expect(asked('cons')).toMatch(/^( .+\n){5}\(cut after 5 lines\)\n\n$/)
    expect(asked('stat')).toMatch(/\nClients:\n( .+\n){5}\(cut after 5 lines\)\n\nLatency/)
    expect(asked('wchs')).toBe('1 connections watching 5 paths\nTotal watches:9\n')
    expect(asked('dump')).toContain('\t/e1\n(cut after 5 lines)\nConnections dump:\n')
  })

  it('dump, on the leader by deadline, elsewhere by timeout', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/e', '', 'ephemeral'))
    harness.ensemble.commitAll()
    harness.ensemble.deadlines = [{ inMs: 9_000, sessions: new Set([1]) }]
    const tail = [
      'ephemeral nodes dump:',
      'Sessions with Ephemerals (1):',
      '0x1:',
      '\t/e',
      'Connections dump:',
      'Connections Sets (1)/(1):',
      '1 expire at Sat Nov 21 07:00:20 UTC 2026:',
      '\tip: /127.0.0.1:0 sessionId: 0x1',
      '',
    ]
    const leader = 'Session Sets (1)/(1):\n1 expire at Sat Nov 21 07:00:10 UTC 2026:\n\t0x1'
    expect(ask(harness, 'dump')).toBe(['SessionTracker dump:', leader, ...tail].join('\n'))
    harness.ensemble.isLeader = false
    const follower = 'Global Sessions(1):\n0x1\t10000ms'
    expect(ask(harness, 'dump')).toBe(['SessionTracker dump:', follower, ...tail].join('\n'))
  })

  it('hash, equal on servers with equal trees', () => {
    const [one, two] = [new ListenerHarness(), new ListenerHarness()]
    for (const { ensemble } of [one, two]) ensemble.applyForeign(creation('/a', 'x'))
    expect(ask(one, 'hash')).toMatch(/^1: \d+\n$/)
    expect(ask(two, 'hash')).toBe(ask(one, 'hash'))
    two.ensemble.applyForeign(creation('/b', 'x'))
    expect(ask(two, 'hash')).toMatch(/^2: /)
    expect(ask(two, 'hash').slice(3)).not.toBe(ask(one, 'hash').slice(3))
  })

  it('stmk takes eight bytes more, and gtmk gives them back', () => {
    const harness = new ListenerHarness()
    expect(ask(harness, 'gtmk')).toBe('306')
    const context = contextOf(harness)
    const asked = (bytes: string) => answerWord(Buffer.from(bytes, 'latin1'), ALL, context, null)
    expect(asked('stmk\0\0\0\0\0\0\x12\x12')).toBe('4626')
    expect(asked('gtmk')).toBe('4626')
    expect(['stmk', 'gtmk'].map((word) => wordBytes(word, ALL))).toEqual([12, 4])
    expect(wordBytes('stmk', ['ruok'])).toBe(4)
  })

  it('envi, under the names that ZooKeeper has', () => {
    const lines = ask(new ListenerHarness(), 'envi').split('\n')
    expect(lines[0]).toBe('Environment:')
    expect(lines).toContain('zookeeper.version=0.1.0-abc, built on 11/21/2026 07:00 UTC')
    expect(lines).toContain(`user.dir=${process.cwd()}`)
    expect(lines.find((line) => line.startsWith('os.memory.free='))).toMatch(/=\d+MB$/)
  })

  it('of RaftKeeper: lgif, csnp and uptm', () => {
    const harness = new ListenerHarness()
    const { ensemble } = harness
    ensemble.applyForeign(creation('/a'))
    expect(ask(harness, 'lgif')).toBe(
      [
        'first_log_idx\t1',
        'first_log_term\t2',
        'last_log_idx\t1',
        'last_log_term\t3',
        'last_committed_log_idx\t1',
        'leader_committed_log_idx\t1',
        'target_committed_log_idx\t1',
        'last_snapshot_idx\t0',
        '',
      ].join('\n'),
    )
    expect(ask(harness, 'csnp')).toBe('1')
    ensemble.snapshotRefusal = 'DISK_FULL'
    expect(ask(harness, 'csnp')).toBe('Failed to schedule snapshot creation task.')
    harness.nowMs = 4_700
    expect(ask(harness, 'uptm')).toBe('3')
  })

  it('of RaftKeeper: rqld asks for leadership, ydld gives it away', () => {
    const harness = new ListenerHarness()
    const { ensemble } = harness
    expect(ask(harness, 'ydld')).toBe('Sent yield leadership request.')
    expect(ensemble.transfers).toEqual([null])
    expect(ask(harness, 'rqld')).toBe('Sent leadership request to leader.')
    expect(ensemble.leadershipRequests).toBe(0)
    ensemble.isLeader = false
    expect(ask(harness, 'rqld')).toBe('Sent leadership request to leader.')
    expect(ensemble.leadershipRequests).toBe(1)
    ensemble.leader = null
    expect(ask(harness, 'rqld')).toBe('Failed to send leadership request to leader.')
  })

  it('srvr is always allowed', () => {
    expect(ask(new ListenerHarness(), 'srvr', [])).toMatch(/^Zookeeper version: /)
  })

  it('say that the server does not serve, but for those that need no service', () => {
    const harness = new ListenerHarness()
    harness.ensemble.ready = false
    const refusal = 'This ZooKeeper instance is not currently serving requests'
    const words = 'srvr stat mntr cons crst conf dirs dump wchs wchc wchp srst lgif'.split(' ')
    for (const word of words) expect(ask(harness, word)).toBe(`${refusal}\n`)
    expect(ask(harness, 'hash')).toBe(refusal)
    expect(ask(harness, 'isro')).toBe('null')
    expect(ask(harness, 'ruok')).toBe('imok')
    expect(ask(harness, 'gtmk')).toBe('306')
    expect(ask(harness, 'envi')).toMatch(/^Environment:\n/)
    expect(ask(harness, 'mntr', [])).toContain('not in the whitelist')
  })
})

describe('in read-only mode', () => {
  it('words say so, and are answered', () => {
    const harness = new ListenerHarness()
    harness.ensemble.members = [MEMBER, { ...MEMBER, id: 'id-2', name: '2' }]
    harness.ensemble.beginReadOnly()
    const client = harness.connect()
    client.introduce({ readOnly: true })
    expect(ask(harness, 'isro')).toBe('ro')
    expect(ask(harness, 'srvr').split('\n')).toEqual([
      expect.stringMatching(/^Zookeeper version: /),
      'READ-ONLY mode; serving only read-only clients',
      expect.stringMatching(/^Latency/),
      // The handshake and two words.
      'Received: 3',
      'Sent: 3',
      'Connections: 1',
      'Outstanding: 0',
      'Zxid: 0x0',
      'Mode: read-only',
      expect.stringMatching(/^Node count: /),
      '',
    ])
    expect(ask(harness, 'stat')).toContain('only read-only clients\nClients:\n /')
    const lines = monitored(harness)
    expect(lines.get('zk_server_state')).toBe('read-only')
    expect([lines.has('zk_peer_state'), lines.has('zk_quorum_size')]).toEqual([false, false])
    expect(ask(harness, 'conf')).toMatch(/\npeerType=0\n$/)
    // Java's hexadecimal of a negative long.
    expect(ask(harness, 'cons')).toContain('sid=0xfffffffffffffffe,')
    harness.ensemble.endReadOnly()
    expect(ask(harness, 'isro')).toBe('null')
  })
})

import { describe, expect, it } from 'vitest'
import { fourLetterWord, leaderOf, modeOf } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import { create, exists, getChildren, getData } from '../operations.ts'
import { Sessions, type Target } from './target.ts'

/** Names that dashboards read, from `mntr` of any server. */
const MONITORED = [
  'zk_version',
  'zk_server_state',
  'zk_avg_latency',
  'zk_max_latency',
  'zk_min_latency',
  'zk_packets_received',
  'zk_packets_sent',
  'zk_num_alive_connections',
  'zk_outstanding_requests',
  'zk_znode_count',
  'zk_watch_count',
  'zk_ephemerals_count',
  'zk_approximate_data_size',
  'zk_open_file_descriptor_count',
  'zk_max_file_descriptor_count',
]

const ENVIRONMENT = [
  'zookeeper.version',
  'host.name',
  ...['version', 'vendor', 'home', 'class.path', 'library.path', 'io.tmpdir', 'compiler'].map(
    (name) => `java.${name}`,
  ),
  ...['os.name', 'os.arch', 'os.version', 'user.name', 'user.home', 'user.dir'],
  ...['os.memory.free', 'os.memory.max', 'os.memory.total'],
]

export function fourLetterSuite(target: Target): void {
  describe('four-letter words', () => {
    const sessions = new Sessions(target)
    const ask = (word: string, server = 0) => fourLetterWord(sessions.port(server), word)

    it('ruok', async () => {
      expect(await ask('ruok')).toBe('imok')
    })

    it('isro', async () => {
      expect(await ask('isro')).toBe('rw')
    })

    it('srvr, in the form that clients parse', async () => {
      const client = await sessions.client()
      const { zxid } = await create(client, `${await sessions.place(client)}/a`)
      const lines = (await ask('srvr')).trimEnd().split('\n')
      expect(lines[0]).toMatch(
        /^Zookeeper version: [A-Za-z0-9.-]+, built on \d{2,4}[/-]\d{2}[/-]\d{2,4} \d{2}:\d{2} \w+$/,
      )
      expect(lines[1]).toMatch(/^Latency min\/avg\/max: \d+\/\d+(\.\d+)?\/\d+$/)
      expect(lines[2]).toMatch(/^Received: \d+$/)
      expect(lines[3]).toMatch(/^Sent: \d+$/)
      expect(lines[4]).toMatch(/^Connections: \d+$/)
      expect(lines[5]).toMatch(/^Outstanding: \d+$/)
      expect(lines[6]).toMatch(/^Zxid: 0x[0-9a-f]+$/)
      expect(lines[7]).toMatch(/^Mode: (leader|follower)$/)
      expect(lines[8]).toMatch(/^Node count: \d+$/)
      const leads = lines[7] === 'Mode: leader'
      expect(lines.slice(9)).toEqual(
        leads ? [expect.stringMatching(/^Proposal sizes last\/min\/max: \d+\/\d+\/\d+$/)] : [],
      )
      expect(BigInt(lines[6]?.slice('Zxid: '.length) ?? '0')).toBeGreaterThanOrEqual(zxid)
    })

    it('one server leads and the others follow', async () => {
      const modes = await Promise.all([0, 1, 2].map(async (i) => modeOf(await ask('srvr', i))))
      expect(modes.sort()).toEqual(['follower', 'follower', 'leader'])
    })

    it('stat, with the clients', async () => {
      const client = await sessions.client()
      const text = await ask('stat')
      expect(text).toMatch(/^Zookeeper version: /)
      expect(text).toMatch(
        /\nClients:\n( \/127\.0\.0\.1:\d+\[\d+\]\(queued=\d+,recved=\d+,sent=\d+\)\n){2,}\n/,
      )
      expect(text).toMatch(/\nMode: (leader|follower)\nNode count: \d+\n/)
      expect(client.connection.isClosed).toBe(false)
    })

    it('mntr, with the names of dashboards', async () => {
      const text = await ask('mntr')
      const rows = text
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t'))
      for (const row of rows) expect(row).toHaveLength(2)
      expect(rows.map(([name]) => name)).toEqual(expect.arrayContaining(MONITORED))
      const states = await Promise.all(
        [0, 1, 2].map(async (i) => /^zk_server_state\t(\w+)$/m.exec(await ask('mntr', i))?.[1]),
      )
      expect(states.sort()).toEqual(['follower', 'follower', 'leader'])
    })

    it('mntr counts znodes, ephemerals and connections', async () => {
      const client = await sessions.client()
      const value = async (name: string) =>
        Number(new RegExp(`^${name}\\t(\\d+)$`, 'm').exec(await ask('mntr'))?.[1])
      const place = await sessions.place(client)
      const counted = async () => [
        await value('zk_znode_count'),
        await value('zk_ephemerals_count'),
      ]
      let attempts = 0
      // Sessions that earlier tests left may expire between two counts: then it is counted again.
      await waitFor('one ephemeral more is counted', async () => {
        const [znodes = 0, ephemerals = 0] = await counted()
        await create(client, `${place}/e${attempts++}`, '', { flags: 1 })
        const [after, ephemeralsAfter] = await counted()
        return after === znodes + 1 && ephemeralsAfter === ephemerals + 1
      })
      expect(await value('zk_num_alive_connections')).toBeGreaterThanOrEqual(1)
    })

    it('conf, as key=value', async () => {
      const { clientPorts, tickMs } = target.ensemble()
      const lines = (await ask('conf')).split('\n')
      expect(lines).toContain(`clientPort=${clientPorts[0]}`)
      expect(lines).toContain(`tickTime=${tickMs}`)
      expect(lines).toContain(`minSessionTimeout=${2 * tickMs}`)
      expect(lines).toContain(`maxSessionTimeout=${20 * tickMs}`)
      expect(lines).toContain('serverId=1')
    })

    it('conf, line by line', async () => {
      const { clientPorts } = target.ensemble()
      const lines = (await ask('conf')).split('\n')
      const keys = lines.map((line) => /^[^=:]+(=|: $)/.exec(line)?.[0].replace('=', ''))
      expect(keys).toEqual([
        ...'clientPort secureClientPort dataDir dataDirSize dataLogDir dataLogSize'.split(' '),
        ...'tickTime maxClientCnxns minSessionTimeout maxSessionTimeout'.split(' '),
        ...'clientPortListenBacklog serverId initLimit syncLimit electionAlg'.split(' '),
        ...'electionPort quorumPort peerType'.split(' '),
        'membership: ',
        ...'server.1 server.2 server.3 version'.split(' '),
      ])
      const values = new Map(lines.map((line) => line.split('=') as [string, string]))
      for (const key of ['dataDirSize', 'dataLogSize', 'initLimit', 'syncLimit', 'electionPort']) {
        expect(values.get(key)).toMatch(/^\d+$/)
      }
      expect(values.get('dataDir')).toMatch(/^\//)
      expect(values.get('secureClientPort')).toBe('-1')
      expect(values.get('clientPortListenBacklog')).toBe('-1')
      expect(values.get('peerType')).toBe('0')
      expect(values.get('version')).toMatch(/^[0-9a-f]+$/)
      for (const [i, port] of clientPorts.entries()) {
        expect(values.get(`server.${i + 1}`)).toMatch(
          new RegExp(`^[\\w.]+:\\d+:\\d+:participant;[\\w.]+:${port}$`),
        )
      }
    })

    it('cons, with the last request of each client and the connection of the asker', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getData(client, place)
      const sid = client.session.sessionId.toString(16)
      const counted = `,recved=3,sent=3,sid=0x${sid},`
      // ZooKeeper counts an answer after it was sent.
      const text = await waitFor('all answers are counted', async () => {
        const told = await ask('cons')
        return told.includes(counted) ? told : null
      })
      expect(text).toMatch(/^( \/127\.0\.0\.1:\d+\[\d\]\(.*\)\n)+\n$/)
      expect(text).toMatch(/^ \/127\.0\.0\.1:\d+\[0\]\(queued=0,recved=1,sent=0\)$/m)
      const own = text.split('\n').find((line) => line.includes(`sid=0x${sid},`))
      expect(own).toMatch(
        /\[1\]\(queued=0,recved=3,sent=3,sid=0x[0-9a-f]+,lop=GETD,est=\d{13},to=\d+,lcxid=0x2,lzxid=0x[0-9a-f]+,lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+\)$/,
      )
      expect(await ask('crst')).toBe('Connection stats reset.\n')
      const after = (await ask('cons')).split('\n').find((line) => line.includes(`sid=0x${sid},`))
      expect(after).toMatch(
        /\(queued=0,recved=0,sent=0,sid=0x[0-9a-f]+,lop=NA,est=\d+,to=\d+,lzxid=0xf{16},lresp=0,llat=0,minlat=0,avglat=0,maxlat=0\)$/,
      )
    })

    it('srst, after which counting begins anew', async () => {
      expect(await ask('srst')).toBe('Server stats reset.\n')
      expect(await ask('srvr')).toMatch(
        /\nLatency min\/avg\/max: \d+\/\d+\.\d+\/\d+\nReceived: \d\nSent: \d\n/,
      )
    })

    it('dump, with sessions, their ephemerals and connections', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/e`, '', { flags: 1 })
      const sid = `0x${client.session.sessionId.toString(16)}`
      const leader = await leaderOf(target.ensemble())
      const date = '\\w{3} \\w{3} \\d\\d \\d\\d:\\d\\d:\\d\\d UTC \\d{4}'
      const ephemeral = `Sessions with Ephemerals \\(\\d+\\):\n(.*\n)*${sid}:\n\t${place}/e\n`
      const sets = (what: string, member: string) =>
        `${what} Sets \\(\\d+\\)/\\(\\d+\\):\n(\\d+ expire at ${date}:\n(\t${member}\n)*)+`
      const rest = `ephemeral nodes dump:\n${ephemeral}(.*\n)*Connections dump:\n${sets('Connections', 'ip: /127.0.0.1:\\d+ sessionId: 0x[0-9a-f]+')}$`
      for (const [server] of target.ensemble().clientPorts.entries()) {
        const text = await waitFor('the server has heard of the ephemeral', async () => {
          const told = await ask('dump', server)
          return told.includes(`${sid}:\n\t${place}/e\n`) ? told : null
        })
        const tracked =
          server === leader
            ? sets('Session', '0x[0-9a-f]+')
            : 'Global Sessions\\(\\d+\\):\n(0x[0-9a-f]+\t\\d+ms\n)+'
        expect(text).toMatch(new RegExp(`^SessionTracker dump:\n${tracked}${rest}`))
        expect(text).toContain(`${sid}`)
      }
    })

    it("envi, with ZooKeeper's keys", async () => {
      const lines = (await ask('envi')).trimEnd().split('\n')
      expect(lines[0]).toBe('Environment:')
      expect(lines.slice(1).map((line) => line.slice(0, line.indexOf('=')))).toEqual(ENVIRONMENT)
    })

    it('dirs', async () => {
      expect(await ask('dirs')).toMatch(/^datadir_size: \d+\nlogdir_size: \d+\n$/)
    })

    it('wchs, wchc and wchp, of one client', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await exists(client, place, true)
      await getData(client, place, true)
      await getChildren(client, place, true)
      const sid = client.session.sessionId.toString(16)
      expect(await ask('wchs')).toBe('1 connections watching 1 paths\nTotal watches:1\n')
      expect(await ask('wchc')).toBe(`0x${sid}\n\t${place}\n\n`)
      expect(await ask('wchp')).toBe(`${place}\n\t0x${sid}\n\n`)
      await exists(client, `${place}/none`, true)
      expect(await ask('wchs')).toBe('1 connections watching 2 paths\nTotal watches:2\n')
    })

    it('hash, as zxid and digest', async () => {
      expect(await ask('hash')).toMatch(/^([0-9a-f]+: -?\d+\n)*$/)
    })

    it('gtmk and stmk, with the mask in eight bytes', async () => {
      const mask = (value: bigint) => {
        const bytes = Buffer.from('stmk........')
        bytes.writeBigInt64BE(value, 4)
        return fourLetterWord(sessions.port(), bytes)
      }
      expect(await ask('gtmk', 1)).toBe('306')
      expect(await mask(4626n)).toBe('4626')
      expect(await ask('gtmk')).toBe('4626')
      expect(await mask(306n)).toBe('306')
    })

    it('closes on a word that it does not know, and on the interrupt of telnet', async () => {
      expect(await ask('wxyz')).toBe('')
      const interrupt = Buffer.from([0xff, 0xf4, 0xff, 0xfd])
      expect(await fourLetterWord(sessions.port(), interrupt)).toBe('')
    })

    it('takes a word alone or with a newline, and no word in a session', async () => {
      expect(await ask('ruok\r\n')).toBe('imok')
      const client = await sessions.client()
      client.connection.write(Buffer.from('ruok'))
      expect(Buffer.concat(await client.connection.closed()).toString()).not.toContain('imok')
    })
  })
}

/** Of an ensemble that allows `ruok` alone. */
export function refusedWords(target: Target): void {
  it('refuses the words that are not in the list, but never srvr', async () => {
    const [port = 0] = target.ensemble().clientPorts
    for (const word of ['mntr', 'stat', 'stmk', 'isro', 'hash', 'wchp', 'crst']) {
      expect(await fourLetterWord(port, word)).toBe(
        `${word} is not executed because it is not in the whitelist.\n`,
      )
    }
    expect(await fourLetterWord(port, 'ruok')).toBe('imok')
    expect(await fourLetterWord(port, 'srvr')).toMatch(/^Zookeeper version: /)
    expect(await fourLetterWord(port, 'wxyz')).toBe('')
  })
}

/** The words that RaftKeeper has and ZooKeeper has not. */
export function raftKeeperWords(target: Target): void {
  describe("RaftKeeper's words", () => {
    const ports = () => target.ensemble().clientPorts
    const ask = (word: string, server = 0) => fourLetterWord(ports()[server] ?? 0, word)
    const leaderNow = async () => {
      const modes = await Promise.all(ports().map(async (_, i) => modeOf(await ask('srvr', i))))
      return modes.indexOf('leader')
    }
    const logInfo = async () =>
      new Map((await ask('lgif')).split('\n').map((line) => line.split('\t') as [string, string]))

    it('lgif and csnp: the log, and a snapshot of it', async () => {
      const before = await logInfo()
      const number = (key: string) => Number(before.get(key))
      expect([...before.keys()]).toEqual([
        ...['first_log_idx', 'first_log_term', 'last_log_idx', 'last_log_term'],
        ...['last_committed_log_idx', 'leader_committed_log_idx', 'target_committed_log_idx'],
        'last_snapshot_idx',
        '',
      ])
      expect(number('first_log_idx')).toBeGreaterThan(0)
      expect(number('last_log_idx')).toBeGreaterThanOrEqual(number('last_committed_log_idx'))
      expect(number('last_log_term')).toBeGreaterThanOrEqual(number('first_log_term'))
      const asked = Number(await ask('csnp'))
      expect(asked).toBeGreaterThanOrEqual(number('last_committed_log_idx'))
      await waitFor('the snapshot', async () => {
        return Number((await logInfo()).get('last_snapshot_idx')) >= asked
      })
    })

    it('uptm: seconds', async () => {
      expect(await ask('uptm')).toMatch(/^\d+$/)
    })

    it('rqld: leadership for the server that is asked', async () => {
      const former = await leaderOf(target.ensemble())
      const next = (former + 1) % 3
      expect(await ask('rqld', next)).toBe('Sent leadership request to leader.')
      await waitFor('the server leads', async () => (await leaderNow()) === next)
    })

    it('ydld: leadership for another one', async () => {
      const former = await leaderOf(target.ensemble())
      expect(await ask('ydld', former)).toBe('Sent yield leadership request.')
      await waitFor('another leads', async () => ![-1, former].includes(await leaderNow()))
    })
  })
}

/** Of the first server of an ensemble whose other servers are gone. */
export async function wordsWithoutService(port: number): Promise<void> {
  const refusal = 'This ZooKeeper instance is not currently serving requests'
  const ask = (word: string) => fourLetterWord(port, word)
  await waitFor('no service', async () => (await ask('srvr')).startsWith(refusal), 60_000)
  for (const word of 'srvr stat cons crst conf dirs dump mntr wchs wchc wchp srst'.split(' ')) {
    expect(await ask(word), word).toBe(`${refusal}\n`)
  }
  expect(await ask('hash')).toBe(refusal)
  expect(await ask('isro')).toBe('null')
  expect(await ask('ruok')).toBe('imok')
  expect(await ask('gtmk')).toBe('306')
  expect(await ask('envi')).toMatch(/^Environment:\nzookeeper\.version=/)
}

export function standaloneWords(target: Target): void {
  it('says that it stands alone', async () => {
    const [port = 0] = target.ensemble().clientPorts
    expect(modeOf(await fourLetterWord(port, 'srvr'))).toBe('standalone')
    expect(await fourLetterWord(port, 'mntr')).toMatch(/^zk_server_state\tstandalone$/m)
  })
}

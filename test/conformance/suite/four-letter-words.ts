import { describe, expect, it } from 'vitest'
import { fourLetterWord, modeOf } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import { create } from '../operations.ts'
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
        /\nClients:\n( \/127\.0\.0\.1:\d+\[\d+\]\(queued=\d+,recved=\d+,sent=\d+\)\n)+\n/,
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

    it('closes on a word that it does not know', async () => {
      expect(await ask('wxyz')).toBe('')
    })
  })
}

export function standaloneWords(target: Target): void {
  it('says that it stands alone', async () => {
    const [port = 0] = target.ensemble().clientPorts
    expect(modeOf(await fourLetterWord(port, 'srvr'))).toBe('standalone')
    expect(await fourLetterWord(port, 'mntr')).toMatch(/^zk_server_state\tstandalone$/m)
  })
}

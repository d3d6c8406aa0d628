import { describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { create, exists } from '../operations.ts'
import { Sessions, type Target } from './target.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** The kinds of all values, by field; of a list those of its first entry. */
function shapeOf(value: Json): unknown {
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object') return typeof value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
}

const kinds = (kind: string, names: string) =>
  Object.fromEntries(names.split(' ').map((name) => [name, kind]))

const SIZES = kinds('number', 'last_buffer_size min_buffer_size max_buffer_size')
const CONNECTION = {
  remote_socket_address: 'string',
  ...kinds('number', 'interest_ops outstanding_requests packets_received packets_sent'),
}
const SERVER_STATS = {
  version: 'string',
  read_only: 'boolean',
  server_stats: {
    ...kinds('number', 'packets_sent packets_received fsync_threshold_exceed_count uptime'),
    ...kinds('number', 'outstanding_requests min_latency avg_latency max_latency'),
    ...kinds('number', 'data_dir_size log_dir_size last_processed_zxid auth_failed_count'),
    ...kinds('number', 'num_alive_client_connections non_mtlsremote_conn_count'),
    ...kinds('number', 'non_mtlslocal_conn_count'),
    client_response_stats: SIZES,
    provider_null: 'boolean',
    server_state: 'string',
  },
  client_response: SIZES,
  node_count: 'number',
}
const ADDRESS = {
  empty: 'boolean',
  all_addresses: ['string'],
  wildcard_addresses: ['string'],
  all_ports: ['number'],
  all_host_strings: ['string'],
  reachable_address: 'string',
  all_reachable_addresses: ['string'],
  all_reachable_addresses_or_all: ['string'],
  reachable_or_one: 'string',
  one: 'string',
}
const VOTER = {
  server_addresses: ['string'],
  election_addresses: ['string'],
  client_address: 'string',
  learner_type: 'string',
}

/** Command and other names -> what it answers beside `command` and `error`. */
const SHAPES: Readonly<Record<string, unknown>> = {
  'configuration conf config': {
    ...kinds('number', 'client_port tick_time max_client_cnxns min_session_timeout'),
    ...kinds('number', 'max_session_timeout server_id client_port_listen_backlog'),
    ...kinds('string', 'data_dir data_log_dir'),
  },
  'connection_stat_reset crst': {},
  dirs: kinds('number', 'datadir_size logdir_size'),
  'environment env envi': kinds(
    'string',
    'zookeeper.version host.name java.version java.vendor java.home java.class.path ' +
      'java.library.path java.io.tmpdir java.compiler os.name os.arch os.version user.name ' +
      'user.home user.dir os.memory.free os.memory.max os.memory.total',
  ),
  'get_trace_mask gtmk': { tracemask: 'number' },
  'initial_configuration icfg': { initial_configuration: 'null' },
  'is_read_only isro': { read_only: 'boolean' },
  'last_snapshot lsnp': { zxid: 'string', timestamp: 'number' },
  'leader lead': { is_leader: 'boolean', leader_id: 'number', leader_ip: 'string' },
  'observer_connection_stat_reset orst': {},
  'observers obsr': { synced_observers: 'number', observers: [] },
  ruok: {},
  'stat_reset srst': {},
  voting_view: { current_config: { 1: VOTER, 2: VOTER, 3: VOTER } },
  'watch_summary wchs': kinds('number', 'num_connections num_paths num_total_watches'),
  zabstate: {
    ...kinds('number', 'myid zab_epoch zab_counter'),
    ...kinds('boolean', 'is_leader voting'),
    ...kinds('string', 'client_address last_zxid zabstate'),
    quorum_address: ADDRESS,
    election_address: ADDRESS,
  },
}

/** Asks server `server` of the target; the status, the headers and the JSON. */
function asker(target: Target) {
  return async (command: string, server = 0) => {
    const port = target.ensemble().httpPorts[server]
    const response = await fetch(`http://127.0.0.1:${port}/commands/${command}`, {
      headers: { authorization: 'digest anybody:secret' },
    })
    const body = (await response.json()) as { [key: string]: Json }
    return { status: response.status, headers: response.headers, body }
  }
}

/** The AdminServer's commands, with the same fields and types on both servers. */
export function adminSuite(target: Target): void {
  describe('the AdminServer', () => {
    const sessions = new Sessions(target)
    const ask = asker(target)

    it('has an index with a link to each command', async () => {
      const response = await fetch(`http://127.0.0.1:${target.ensemble().httpPorts[0]}/commands`)
      const text = await response.text()
      const links = [...text.matchAll(/<a href="\/commands\/(\w+)">\1<\/a>\n<br\/>\n/g)]
      const names = Object.keys(SHAPES).map((line) => line.split(' ')[0])
      expect(links.map(([, name]) => name)).toEqual(
        [
          ...names,
          ...'connections dump hash monitor restore server_stats set_trace_mask'.split(' '),
          ...'snapshot stats system_properties watches watches_by_path'.split(' '),
        ].sort(),
      )
    })

    it.each(Object.entries(SHAPES))('%s', async (names, shape) => {
      const [first = '', ...others] = names.split(' ')
      for (const name of [first, ...others]) {
        const { status, headers, body } = await ask(name)
        expect([status, headers.get('content-type')]).toEqual([
          200,
          expect.stringMatching(/^application\/json/),
        ])
        const { command, error, ...rest } = body
        expect([command, error]).toEqual([first, null])
        expect(shapeOf(rest)).toEqual(shape)
      }
    })

    it('connections, with the one of a client', async () => {
      const client = await sessions.client()
      await exists(client, '/')
      // ZooKeeper counts what it sends after it has sent it, and the sessions of former tests may be ending still.
      await waitFor('the connection is counted', async () => {
        const { body } = await ask('connections')
        expect(shapeOf(body)).toEqual({
          connections: [
            {
              ...CONNECTION,
              ...kinds('number', 'session_id established session_timeout last_cxid last_zxid'),
              ...kinds('number', 'last_response_time last_latency min_latency avg_latency'),
              max_latency: 'number',
              last_operation: 'string',
            },
          ],
          secure_connections: [],
          command: 'string',
          error: 'null',
        })
        expect(body['connections']).toContainEqual(
          expect.objectContaining({
            interest_ops: 1,
            packets_received: 2,
            packets_sent: 2,
            last_operation: 'EXIS',
            last_cxid: 1,
          }),
        )
        return true
      })
      expect((await ask('cons')).body['command']).toBe('connections')
    })

    it('dump and watches, by session and by path', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/e`, '', { flags: 1 })
      await exists(client, place, true)
      // A client's number is above 2^53 in ZooKeeper, and JSON's reader rounds it.
      const about = (key: string | undefined) =>
        Math.abs(Number(key) / Number(client.session.sessionId) - 1) < 1e-12
      const { session_id_to_ephemeral_paths: paths } = (await ask('dump')).body
      const owned = Object.entries(paths as Record<string, Json>).find(([key]) => about(key))
      expect(owned?.[1]).toEqual([`${place}/e`])
      const { session_id_to_watched_paths: watched } = (await ask('watches')).body
      const [session, places] = Object.entries(watched as Record<string, Json>)[0] ?? []
      expect([about(session), places]).toEqual([true, [place]])
      const { path_to_session_ids: sessionsOf } = (await ask('wchp')).body
      expect(Object.keys(sessionsOf as object)).toEqual([place])
      expect((await ask('watch_summary')).body).toMatchObject({
        num_connections: 1,
        num_paths: 1,
        num_total_watches: 1,
      })
    })

    it('server_stats and stats; the leader tells of its proposals', async () => {
      const states: unknown[] = []
      for (const server of [0, 1, 2]) {
        const { body } = await ask('server_stats', server)
        const state = (body['server_stats'] as { server_state: string }).server_state
        const expected = {
          ...SERVER_STATS,
          ...(state === 'leader' ? { proposal_stats: SIZES } : {}),
        }
        expect(shapeOf(body)).toEqual({ ...expected, command: 'string', error: 'null' })
        expect((await ask('leader', server)).body['is_leader']).toBe(state === 'leader')
        states.push(state)
      }
      expect(states.sort()).toEqual(['follower', 'follower', 'leader'])
      const client = await sessions.client()
      expect(client.connection.isClosed).toBe(false)
      const { body } = await ask('stats')
      expect(shapeOf(body['connections'] ?? null)).toEqual([CONNECTION])
      expect(body['secure_connections']).toEqual([])
    })

    it('monitor and system_properties, with what readers look for', async () => {
      const { body } = await ask('monitor')
      expect(body).toMatchObject({ server_state: expect.stringMatching(/^(leader|follower)$/) })
      for (const name of [
        'znode_count',
        'watch_count',
        'avg_latency',
        'packets_received',
        'uptime',
      ]) {
        expect(typeof body[name], name).toBe('number')
      }
      const { body: properties } = await ask('sysp')
      const names = 'file.encoding file.separator java.version os.name user.dir'.split(' ')
      for (const name of names) expect(typeof properties[name], name).toBe('string')
    })

    it('set_trace_mask', async () => {
      expect((await ask('set_trace_mask?traceMask=274')).body).toMatchObject({
        tracemask: 274,
        error: null,
      })
      expect((await ask('set_trace_mask?traceMask=x')).body).toEqual({
        command: 'set_trace_mask',
        error: 'setTraceMask requires long traceMask argument, got x',
      })
      expect((await ask('stmk')).body).toEqual({
        command: 'set_trace_mask',
        error: 'setTraceMask requires long traceMask argument',
      })
      expect((await ask('stmk?traceMask=306')).body['tracemask']).toBe(306)
    })

    it('snapshot, without its bytes', async () => {
      const { status, headers, body } = await ask('snapshot?streaming=false')
      expect([status, body]).toEqual([200, { command: 'snapshot', error: null }])
      expect(headers.get('last_zxid')).toMatch(/^0x[0-9a-f]+$/)
      expect(Number(headers.get('snapshot_size'))).toBeGreaterThan(0)
    })

    it('answers 200 to a command that it does not know', async () => {
      expect(await ask('nonsense')).toMatchObject({
        status: 200,
        body: { command: 'nonsense', error: 'Unknown command: nonsense' },
      })
    })
  })
}

/** Of the first server of an ensemble whose other servers are gone. */
export async function commandsWithoutService(target: Target): Promise<void> {
  const ask = asker(target)
  const error = 'This ZooKeeper instance is not currently serving requests'
  for (const name of ['conf', 'ruok', 'watches', 'leader']) {
    expect(await ask(name)).toMatchObject({ status: 200, body: { command: name, error } })
  }
  expect((await ask('get_trace_mask')).body).toMatchObject({ tracemask: 306, error: null })
}

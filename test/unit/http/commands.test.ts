import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ADMIN_COMMANDS } from '../../../server/http/admin-commands.ts'
import { ListenerHarness } from '../listener/client-harness.ts'
import { MEMBER } from '../listener/manual-ensemble.ts'
import { wordSource } from '../listener/word-source.ts'
import { type HttpHarness, httpHarness } from './harness.ts'

const CHANGES = [
  'connection_stat_reset',
  'crst',
  'observer_connection_stat_reset',
  'set_trace_mask?traceMask=1',
  'stat_reset',
  'srst',
  'snapshot?streaming=false',
  'snap',
  'restore',
]

let harness: HttpHarness

beforeEach(async () => {
  harness = await httpHarness()
})

afterEach(() => harness.close())

async function ask(command: string) {
  const answer = await harness.app.inject(`/commands/${command}`)
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

/** What a server of an ensemble says of its place in it. */
function twoMembers(): void {
  harness.ensemble.members = [
    MEMBER,
    { ...MEMBER, id: 'id-2', name: 'pod-1', observer: true, role: 'learner' },
  ]
  harness.ensemble.progress = [{ peer: 'id-2', match: 1, state: 'replicate', silentTicks: 0 }]
}

describe('commands of the AdminServer', () => {
  it('have an index with a link to each, which answers', async () => {
    const index = await harness.app.inject('/commands')
    expect(index.headers['content-type']).toMatch(/^text\/html/)
    const links = [...index.body.matchAll(/<a href="(\/commands\/(\w+))">\2<\/a>\n<br\/>\n/g)]
    expect(links).toHaveLength(28)
    expect((await harness.app.inject('/commands/')).body).toBe(index.body)
    for (const [, url = '', name] of links) {
      const answer = await harness.app.inject(url)
      expect(answer.json().command, url).toBe(name)
      expect(answer.headers['content-type']).toMatch(/^application\/json/)
    }
  })

  it('answer to their short names by their long ones', async () => {
    expect((await ask('mntr')).body).toMatchObject({ command: 'monitor', error: null })
    expect((await ask('lsnp')).body).toEqual({
      zxid: 'ffffffffffffffff',
      timestamp: -1,
      command: 'last_snapshot',
      error: null,
    })
  })

  it.each(['nonsense', 'foo/bar', 'constructor'])(
    '%s is unknown, and that is a 200',
    async (name) => {
      expect(await ask(name)).toMatchObject({
        status: 200,
        body: { command: name, error: `Unknown command: ${name}` },
      })
    },
  )

  it('say that the server does not serve, but for those that need no service', async () => {
    harness.ensemble.ready = false
    const error = 'This ZooKeeper instance is not currently serving requests'
    for (const name of ['conf', 'monitor', 'ruok', 'leader', 'snapshot?streaming=false']) {
      expect((await ask(name)).body).toMatchObject({ error })
    }
    expect((await ask('conf')).body.command).toBe('conf')
    expect((await ask('get_trace_mask')).body).toMatchObject({ tracemask: 306, error: null })
  })

  it('that change something ask first', async () => {
    await harness.close()
    harness = await httpHarness({ authorisation: { mode: 'closed' } })
    const before = harness.commands.stats.packetsSent
    for (const name of CHANGES) expect(await ask(name)).toMatchObject({ status: 403 })
    const restore = await harness.app.inject({ method: 'POST', url: '/commands/restore' })
    expect(restore.statusCode).toBe(403)
    expect((await ask('watches')).status).toBe(200)
    expect([harness.commands.trace.mask, before]).toEqual([306n, 0])
  })

  it('take a mask, and refuse what is none', async () => {
    expect((await ask('set_trace_mask?traceMask=274')).body).toMatchObject({ tracemask: 274 })
    expect((await ask('gtmk')).body.tracemask).toBe(274)
    expect((await ask('set_trace_mask')).body).toEqual({
      command: 'set_trace_mask',
      error: 'setTraceMask requires long traceMask argument',
    })
    expect((await ask('stmk?traceMask=x')).body.error).toMatch(/, got x$/)
  })

  it('take a snapshot, but do not hand it out', async () => {
    const { headers, body } = await ask('snapshot?streaming=False')
    expect([headers['last_zxid'], headers['snapshot_size']]).toEqual(['0x0', '0'])
    expect(body).toEqual({ command: 'snapshot', error: null })
    expect(await ask('snapshot')).toMatchObject({ status: 503, body: { command: 'snapshot' } })
    harness.ensemble.snapshotRefusal = 'DISK_FULL'
    expect(await ask('snapshot?streaming=false')).toMatchObject({ status: 409 })
  })

  it('refuse to restore, also a body of any kind', async () => {
    const answer = await harness.app.inject({
      method: 'POST',
      url: '/commands/restore',
      headers: { 'content-type': 'application/octet-stream' },
      payload: 'x'.repeat(3_000),
    })
    expect([answer.statusCode, answer.json().command]).toEqual([503, 'restore'])
  })

  it('tell the place of a server in its ensemble, or that it stands alone', async () => {
    expect((await ask('leader')).body).toEqual({
      error: 'server is not initialized',
      command: 'leader',
    })
    expect((await ask('zabstate')).body).toMatchObject({ voting: false, zabstate: '' })
    expect((await ask('voting_view')).body.current_config).toEqual({})
    twoMembers()
    expect((await ask('leader')).body).toMatchObject({
      is_leader: true,
      leader_id: 1,
      leader_ip: '127.0.0.1',
    })
    expect((await ask('zabstate')).body).toMatchObject({
      myid: 1,
      voting: true,
      zab_epoch: 0,
      quorum_address: { one: '127.0.0.1:2888' },
      election_address: { one: '127.0.0.1:3888', all_ports: [3888] },
    })
    expect(Object.keys((await ask('voting_view')).body.current_config)).toEqual(['1'])
    expect((await ask('observers')).body).toMatchObject({
      synced_observers: 1,
      observers: [{ sid: 2, remote_socket_address: '/127.0.0.1:2888' }],
    })
  })

  it('say when a list is cut', async () => {
    const { ensemble, commands } = harness
    Object.assign(commands, { listedMax: 2 })
    const session = ensemble.machine.lastZxid + 1
    ensemble.applyForeign({
      kind: 'createSession',
      timeoutMs: 9_000,
      password: new Uint8Array(16),
    })
    ensemble.deadlines = [{ inMs: 500, sessions: new Set([session]) }]
    expect((await ask('dump')).body).toEqual({
      expiry_time_to_session_ids: { 5000: [session] },
      session_id_to_ephemeral_paths: {},
      command: 'dump',
      error: null,
    })
    ensemble.deadlines = [{ inMs: 500, sessions: new Set([1, 2]) }]
    expect((await ask('dump')).body).not.toHaveProperty('truncated')
    ensemble.deadlines = [{ inMs: 500, sessions: new Set([1, 2, 3]) }]
    const { body } = await ask('dump')
    expect(body).toMatchObject({ expiry_time_to_session_ids: { 5000: [1, 2] }, truncated: true })
  })
})

describe('commands of the AdminServer, of the clients', () => {
  it.each([
    ['connections', 3],
    ['stats', 3],
    ['watches', 3],
    ['watches_by_path', 3],
  ])('%s says when it is cut', (name, there) => {
    const listener = new ListenerHarness()
    for (const path of ['/a', '/b', '/c']) {
      listener.open().read(1, { kind: 'exists', path, watch: true })
    }
    const { ensemble, registry, stats } = listener
    const answer = (listedMax: number) =>
      ADMIN_COMMANDS.find(({ names }) => names[0] === name)?.run(
        { ...wordSource(), ensemble, registry, stats, listedMax },
        {},
      )
    expect(answer(there)).not.toHaveProperty('truncated')
    expect(answer(there - 1)).toMatchObject({ truncated: true })
  })

  it('tell nothing of what is not counted or kept here', async () => {
    expect((await ask('initial_configuration')).body.initial_configuration).toBeNull()
    expect((await ask('server_stats')).body.server_stats).toMatchObject({
      fsync_threshold_exceed_count: -1,
      non_mtlsremote_conn_count: -1,
      non_mtlslocal_conn_count: -1,
    })
    expect((await ask('connections')).body.secure_connections).toEqual([])
    const [digest, ...more] = (await ask('hash')).body.digests
    expect([Object.keys(digest), more]).toEqual([['zxid', 'digest'], []])
  })
})

describe('with a path of their own', () => {
  it('the commands are there and not at /commands', async () => {
    const moved = await httpHarness({ commandPath: '/zk/admin' })
    try {
      const index = await moved.app.inject('/zk/admin')
      expect(index.body).toContain('<a href="/zk/admin/ruok">ruok</a>')
      expect((await moved.app.inject('/zk/admin/ruok')).json()).toMatchObject({ command: 'ruok' })
      expect((await moved.app.inject('/commands/ruok')).statusCode).toBe(404)
    } finally {
      await moved.close()
    }
  })
})

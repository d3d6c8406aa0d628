import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentError } from '../../../../agent/errors.ts'
import { limits } from '../../../../agent/limits.ts'
import { initialized, intentOf } from '../cluster-observations.ts'
import { EngineStage } from './engine-stage.ts'

let stage: EngineStage
beforeEach(async () => {
  stage = await EngineStage.open()
})
afterEach(() => stage.close())

const hook = (path: string, more: object = {}) => ({
  http: { path, method: 'POST', headers: { 'x-member': '${member.pod}' }, statuses: [200, 409] },
  ...more,
})

describe('what is seen of an engine', () => {
  it('is three answers, each of which may be another', async () => {
    const at = (path: string) => ({ http: { path } })
    const engine = stage.engine({
      health: { startup: at('/up'), liveness: at('/live'), readiness: at('/ready') },
    })
    expect(await stage.look(engine)).toMatchObject({ answers: true, alive: false, ready: false })
    stage.answers.set('/live', [200, '']).set('/ready', [200, ''])
    const view = await stage.look(engine)
    expect(view).toMatchObject({
      answers: true,
      alive: true,
      ready: true,
      role: 'member',
      reason: '',
    })
    expect(engine.liveness(view)).toBe(true)
    stage.answers.set('/ready', [503, 'loading'])
    const behind = await stage.look(engine)
    expect(behind).toMatchObject({ alive: true, ready: false, reason: 'HTTP 503: "loading"' })
  })

  it('is the connection alone where nothing else is said', async () => {
    const engine = stage.engine({ health: { startup: { tcp: {} } } })
    expect(await stage.look(engine)).toMatchObject({ answers: true, ready: true })
    stage.close()
    const gone = await engine.observe()
    expect(gone).toMatchObject({ answers: false, alive: false, clusterId: '' })
    stage = await EngineStage.open()
  })

  it('is its role, and who else leads', async () => {
    const role = {
      request: { tcp: { send: 'GET /role HTTP/1.0\r\n\r\n' } },
      roles: { primary: '"leads":true', replica: '"leads":false' },
      leader: 'primary',
    }
    const engine = stage.engine({ role })
    stage.answers.set('/role', [200, '{"leads":false}'])
    stage.publish('q', 1, 'primary')
    const replica = await stage.look(engine)
    expect(replica).toMatchObject({
      role: 'replica',
      leads: false,
      leader: 'q-1',
      otherLeader: 'q-1',
    })
    stage.answers.set('/role', [200, '{"leads":true}'])
    const both = await stage.look(engine)
    expect(both).toMatchObject({ role: 'primary', leads: true, leader: 'q-0', otherLeader: 'q-1' })
    stage.answers.set('/role', [200, '{}'])
    expect(await stage.look(engine)).toMatchObject({ role: 'unknown', ready: false })
  })

  it('has no secret in it', async () => {
    const path = '/${secret.password}'
    const engine = stage.engine({ health: { startup: { http: { path } } } })
    stage.answers.set('/hush', [403, 'hush is wrong'])
    expect((await stage.look(engine)).reason).toBe('HTTP 403: "(secret) is wrong"')
  })
})

describe('a disk', () => {
  const founding = { bootstrap: 'start' }
  const intent = { intent: intentOf('q-0') }

  it('is a member’s once it has served, under the id of the intent', async () => {
    const engine = stage.engine(founding)
    expect(engine.discover()).toEqual({ kind: 'empty', founding: null })
    await engine.prepare('bootstrap', await stage.seen(stage.engine(), intent))
    expect(engine.discover()).toEqual({ kind: 'empty', founding: 'n1' })
    const view = await engine.observe()
    expect(view.clusterId).toBe('n1')
    expect(engine.discover()).toMatchObject({ kind: 'member', clusterId: 'n1', departed: false })
    stage.disk.markDeparted('', 'now')
    expect(stage.engine(founding).discover()).toMatchObject({ departed: true })
  })

  it('of a founder that died on its way is founded anew', async () => {
    const engine = stage.engine(founding)
    const seen = await stage.seen(stage.engine(), intent)
    await engine.prepare('bootstrap', seen)
    writeFileSync(join(stage.data, 'half'), '')
    await engine.prepare('bootstrap', seen)
    const names = readdirSync(stage.data)
    expect(names).not.toContain('half')
    const stale = names.find((name) => name.startsWith('stale-')) ?? ''
    expect(readdirSync(join(stage.data, stale))).toContain('half')
    expect(engine.discover()).toEqual({ kind: 'empty', founding: 'n1' })
  })

  it('with data that nobody here began is founded upon, not moved', async () => {
    writeFileSync(join(stage.data, 'old'), '')
    const engine = stage.engine(founding)
    await engine.prepare('bootstrap', await stage.seen(stage.engine(), intent))
    expect(readdirSync(stage.data)).toContain('old')
    expect(engine.discover()).toMatchObject({ kind: 'member', clusterId: 'n1' })
  })

  it('joins under the id on record', async () => {
    const engine = stage.engine(founding)
    await engine.prepare('join', await stage.seen(stage.engine(), { initialized }))
    await engine.observe()
    expect(engine.discover()).toMatchObject({ kind: 'member', clusterId: 'c1' })
  })

  it('does not matter where nothing is founded, unless there is an order', async () => {
    expect(stage.engine().discover()).toMatchObject({ kind: 'member', clusterId: 'q' })
    const ordered = stage.engine({ order: 'ordinals' })
    expect(ordered.discover()).toMatchObject({ kind: 'empty' })
    await ordered.observe()
    expect(ordered.discover()).toMatchObject({ kind: 'member', clusterId: 'q' })
  })
})

describe('the arguments of a start', () => {
  const role = { request: { http: { path: '/up' } }, roles: { primary: 'p' }, leader: 'primary' }
  const start = {
    args: '--name ${self.pod}',
    found: '--new',
    follow: '--from ${leader.host}:${leader.port}',
  }

  it('are for this start alone', async () => {
    const engine = stage.engine({ bootstrap: 'start', role, start })
    const alone = await stage.seen(engine)
    expect(engine.permitLine('bootstrap', alone)).toBe('--name q-0 --new')
    expect(engine.permitLine('resume', alone)).toBe('--name q-0')
    stage.publish('q', 2, 'primary')
    stage.nowMs += limits.genericMembersEveryMs
    const led = await stage.seen(engine)
    expect(engine.permitLine('resume', led)).toBe(`--name q-0 --from 127.0.0.1:${stage.port}`)
  })

  it('are no more than words', async () => {
    const engine = stage.engine({ start: { args: '--a $(date) ${secret.password}' } })
    const seen = await stage.seen(engine)
    expect(() => engine.permitLine('resume', seen)).toThrow(/unsafe/)
  })
})

describe('hooks', () => {
  it('found once, and note it before anything rests on it', async () => {
    const hooks = { bootstrap: hook('/init'), join: hook('/join') }
    const engine = stage.engine({ bootstrap: 'hook', hooks })
    expect(await stage.look(engine)).toMatchObject({ clusterId: '', enlisted: false })
    const call = await stage.call(engine, { intent: intentOf('q-0') })
    await expect(engine.bootstrap(call)).rejects.toThrow('HTTP 404')
    expect(engine.discover()).toMatchObject({ kind: 'empty' })
    // It was done before: that is success.
    stage.answers.set('/init', [409, 'there is one'])
    await engine.bootstrap(call)
    expect(engine.discover()).toMatchObject({ kind: 'member', clusterId: 'n1' })
    expect(stage.roster).toEqual(['q-0'])
    expect(await engine.observe()).toMatchObject({ clusterId: 'n1', enlisted: true })
    expect(stage.asked).toEqual(['POST /init q-0', 'POST /init q-0'])
  })

  it('take a member in, and out', async () => {
    stage.answers.set('/join', [200, '']).set('/leave', [200, ''])
    const engine = stage.engine({ hooks: { join: hook('/join'), leave: hook('/leave') } })
    const call = await stage.call(engine)
    expect(call.observation.engine.enlisted).toBe(false)
    expect(await engine.join(call)).toBe(true)
    expect(await engine.join(call)).toBe(false)
    stage.tree.put('/members/v1/clusters/q/roster/q-4', '')
    stage.nowMs += limits.genericMembersEveryMs
    const { members } = await stage.look(engine)
    expect(members.map(({ name }) => name)).toEqual(['q-0', 'q-4'])
    await engine.leave('q-4', call)
    expect(stage.roster).toEqual(['q-0'])
    expect(stage.asked).toEqual(['POST /join q-0', 'POST /join q-0', 'POST /leave q-4'])
  })

  it('keep a member on the roster that could not be taken out', async () => {
    const engine = stage.engine({ hooks: { leave: hook('/leave') } })
    await engine.join(await stage.call(engine))
    await expect(engine.leave('q-0', await stage.call(engine))).rejects.toThrow('HTTP 404')
    expect(stage.roster).toEqual(['q-0'])
  })

  it('leave a running member in, where it is to go afterwards', async () => {
    const engine = stage.engine({ hooks: { leave: hook('/leave') }, leaves: 'afterwards' })
    await engine.join(await stage.call(engine))
    expect((await engine.observe()).members).toEqual([])
    expect(await engine.observe()).toMatchObject({ enlisted: true })
  })

  it('tell a member that it is one again when its drain was called off', async () => {
    stage.answers.set('/join', [200, '']).set('/drain', [200, ''])
    const engine = stage.engine({ hooks: { join: hook('/join'), drain: hook('/drain') } })
    await engine.join(await stage.call(engine))
    await engine.drain()
    expect(await engine.observe()).toMatchObject({ enlisted: false, drainedAtMs: stage.nowMs })
    await engine.perform('enlist', {}, await stage.call(engine))
    expect(await engine.observe()).toMatchObject({ enlisted: true })
  })

  it('go to the first other member that answers, or to each', async () => {
    const uses = { other: { cluster: 'other' } }
    const drain = { http: { path: '/drain' }, at: 'other' }
    const join = { http: { path: '/join' }, each: 'other' }
    const engine = stage.engine({ uses, hooks: { drain, join } })
    await stage.look(engine)
    await expect(engine.drain()).rejects.toThrow('there is nobody to ask')
    for (const ordinal of [0, 1]) stage.publish('other', ordinal, 'member')
    stage.publish('other', 2, 'member', false)
    stage.nowMs += limits.genericMembersEveryMs
    const call = await stage.call(engine)
    stage.answers.set('/drain', [200, '']).set('/join', [200, ''])
    await engine.drain()
    await engine.join(call)
    expect(stage.asked).toEqual(['GET /drain', 'GET /join', 'GET /join'])
  })
})

describe('files', () => {
  const path = () => join(stage.files, 'app.conf')
  const written = () => readFileSync(path(), 'utf8')
  const reload = { http: { path: '/reload', method: 'POST' } }

  it('are made for a start, of the znode or of what stands for it', async () => {
    const engine = stage.engine({ files: [{ name: 'app.conf' }] })
    const bare = await stage.seen(engine)
    expect(bare.engine.obstacle).toBe(
      'app.conf: there is no znode /members/v1/clusters/q/files/app.conf',
    )
    await expect(engine.prepare('resume', bare)).rejects.toThrow('there is no znode')
    const given = stage.engine({ files: [{ name: 'app.conf', content: 'of ${self.host}' }] })
    const seen = await stage.seen(given)
    expect(seen.engine.obstacle).toBeNull()
    await given.prepare('resume', seen)
    expect(written()).toBe('of q-0.example')
    expect((await stage.look(given)).stale).toEqual([])
  })

  it('change with their znode, and the process is told', async () => {
    const engine = stage.engine({ files: [{ name: 'app.conf', content: 'a', reload }] })
    const seen = await stage.seen(engine)
    await engine.prepare('resume', seen)
    stage.file('app.conf', 'b ${secret.password}')
    const view = await stage.look(engine)
    expect(view.stale).toEqual(['app.conf'])
    await expect(
      engine.perform('renew', { file: 'app.conf' }, await stage.call(engine)),
    ).rejects.toThrow('HTTP 404')
    expect(written()).toBe('b hush')
    // It is told again later, also by an agent that was started since.
    expect((await stage.look(engine)).stale).toEqual([])
    stage.nowMs += limits.genericReloadRetryMs
    expect((await stage.look(engine)).stale).toEqual(['app.conf'])
    const next = stage.engine({ files: [{ name: 'app.conf', content: 'a', reload }] })
    expect((await stage.look(next)).stale).toEqual(['app.conf'])
    stage.answers.set('/reload', [200, ''])
    await next.perform('renew', { file: 'app.conf' }, await stage.call(next))
    expect((await stage.look(next)).stale).toEqual([])
    expect(stage.asked).toEqual(['POST /reload', 'POST /reload'])
    stage.file('app.conf', null)
    expect((await stage.look(next)).stale).toEqual(['app.conf'])
  })

  it.each<[string, string, RegExp]>([
    ['names what there is not', 'x ${self.hots}', /app\.conf: there is no fact \$\{self\.hots\}/],
    ['is too long', 'x'.repeat(limits.genericFileBytesMax + 1), /longer than 262144 bytes/],
    [
      'names who leads, and nobody does',
      '${other.leader.host}',
      /other\.leader\.host is not known now/,
    ],
  ])('stay as they are when the znode %s', async (_title, text, reason) => {
    const uses = { other: { cluster: 'other', leader: 'primary' } }
    const engine = stage.engine({ uses, files: [{ name: 'app.conf', content: 'a' }] })
    await engine.prepare('resume', await stage.seen(engine))
    stage.file('app.conf', text)
    const view = await stage.look(engine)
    expect(view).toMatchObject({ stale: [], obstacle: null, ready: true })
    expect(view.reason).toMatch(reason)
    await engine.prepare('resume', await stage.seen(engine))
    expect(written()).toBe('a')
  })

  it('follow their facts', async () => {
    const uses = { other: { cluster: 'other', leader: 'primary' } }
    const content = '${other.leader.pod} of ${other.members}'
    const engine = stage.engine({ uses, files: [{ name: 'app.conf', content }] })
    stage.publish('other', 1, 'primary')
    stage.publish('other', 0, 'replica')
    await engine.prepare('resume', await stage.seen(engine))
    const place = `127.0.0.1:${stage.port}`
    expect(written()).toBe(`other-1 of ${place},${place}`)
    stage.publish('other', 1, 'replica', false)
    stage.publish('other', 0, 'primary')
    stage.nowMs += limits.genericMembersEveryMs
    expect((await stage.look(engine)).stale).toEqual(['app.conf'])
    await engine.perform('renew', { file: 'app.conf' }, await stage.call(engine))
    expect(written()).toBe(`other-0 of ${place}`)
  })

  it('are the engine’s own from then on, where they are written once', async () => {
    const own = { name: 'app.conf', path: join(stage.data, 'own.conf'), once: true, content: 'a' }
    const engine = stage.engine({ files: [own] })
    await engine.prepare('resume', await stage.seen(engine))
    writeFileSync(own.path, 'what the engine made of it')
    stage.file('app.conf', 'b')
    expect((await stage.look(engine)).stale).toEqual([])
    await engine.prepare('resume', await stage.seen(engine))
    expect(readFileSync(own.path, 'utf8')).toBe('what the engine made of it')
  })

  it('are the last that was known, while the tree is away', async () => {
    const engine = stage.engine({ files: [{ name: 'app.conf' }] })
    stage.file('app.conf', 'of the tree')
    await engine.prepare('resume', await stage.seen(engine))
    stage.tree.session = null
    // A pod that is new, with the old volume.
    writeFileSync(path(), '')
    const next = stage.engine({ files: [{ name: 'app.conf' }] })
    await next.prepare('resume', await stage.seen(next))
    expect(written()).toBe('of the tree')
    expect(existsSync(`${path()}.tmp`)).toBe(false)
  })
})

describe('a document that cannot be', () => {
  const tcp = { tcp: {} }
  it.each<[object, RegExp]>([
    [{ helth: {} }, /helth/],
    [{ ports: { a: 1, b: 2 }, health: { startup: tcp } }, /health\.startup: at which port/],
    [{ health: { startup: { ...tcp, http: { path: '/' } } } }, /http or tcp/],
    [{ health: { startup: { tcp: { expect: '(' } } } }, /no pattern/],
    [{ health: { startup: { tcp: { port: 'x' } } } }, /no port x/],
    [{ hooks: { drain: { ...tcp, at: 'nobody' } } }, /nobody is neither leader/],
    [{ hooks: { drain: { ...tcp, at: 'leader' } } }, /leader needs role\.leader/],
    [{ hooks: { bootstrap: tcp } }, /bootstrap: hook/],
    [{ bootstrap: 'hook' }, /bootstrap: hook/],
    [{ start: { found: 'x' } }, /start\.found/],
    [{ start: { follow: 'x' } }, /start\.follow/],
    [{ order: 'oneAtATime' }, /oneAtATime/],
    [{ leaves: 'itself' }, /leaves needs/],
    [{ uses: { self: { cluster: 'x' } } }, /facts have that name/],
    [{ files: [{ name: 'a', path: '/etc/passwd' }] }, /neither below/],
    [{ files: [{ name: 'a', content: '${b}' }] }, /there is no fact/],
    [{ files: [{ name: 'a' }, { name: 'a' }] }, /two have one name/],
  ])('%j', (document, message) => {
    const make = () => stage.engine(document)
    expect(make).toThrow(AgentError)
    expect(make).toThrow(message)
  })
})

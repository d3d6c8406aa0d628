import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MEMBER } from '../listener/manual-ensemble.ts'
import { type HttpHarness, httpHarness } from './harness.ts'

let http: HttpHarness
beforeEach(async () => {
  http = await httpHarness()
})
afterEach(async () => {
  await http.close()
})

const get = (url: string) => http.app.inject(url)
const call = (method: 'POST' | 'DELETE', url: string, payload?: object) =>
  http.app.inject({ method, url, ...(payload === undefined ? {} : { payload }) })

describe('the app', () => {
  it('builds and answers without a warning of the process or a line in the log', async () => {
    const warnings: unknown[] = []
    const listen = (warning: unknown) => warnings.push(warning)
    process.on('warning', listen)
    const other = await httpHarness()
    await other.app.inject('/livez')
    await other.app.inject('/nothing')
    // Warnings are emitted in a later turn.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listen)
    expect([warnings, other.logged]).toEqual([[], []])
    await other.close()
  })

  it('answers an unknown route with a code', async () => {
    const answer = await get('/v2/data')
    expect([answer.statusCode, answer.json().code]).toEqual([404, 'HTTP_NO_ROUTE'])
    expect((await call('POST', '/v1/znodes/a')).statusCode).toBe(404)
  })

  it('hides what went wrong inside, and logs it', async () => {
    http.ensemble.status = () => {
      throw new Error('the reason')
    }
    const answer = await get('/v1/ensemble')
    expect([answer.statusCode, answer.json().code]).toEqual([500, 'INTERNAL'])
    expect(answer.body).not.toContain('the reason')
    expect(http.logged.join()).toContain('the reason')
  })

  it('serves the page', async () => {
    const page = await get('/')
    expect([page.statusCode, page.headers['content-type'], page.body]).toEqual([
      200,
      'text/html; charset=utf-8',
      'the index.html',
    ])
    expect((await get('/ui/main.js')).headers['content-type']).toContain('text/javascript')
    expect((await get('/ui/style.css')).headers['content-type']).toContain('text/css')
    expect((await get('/ui/../index.html')).statusCode).toBe(404)
  })
})

describe('probes and metrics', () => {
  it('say that the process lives, whatever the ensemble does', async () => {
    http.ensemble.ready = false
    http.ensemble.leader = null
    const answer = await get('/livez')
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ok' }])
  })

  it('say whether the server is ready, and why not', async () => {
    expect([(await get('/readyz')).statusCode, (await get('/readyz')).json()]).toEqual([
      200,
      { status: 'ok' },
    ])
    http.ensemble.ready = false
    const answer = await get('/readyz')
    expect([answer.statusCode, answer.headers['retry-after'], answer.json()]).toEqual([
      503,
      '1',
      { status: 'not ready', reason: 'no leader' },
    ])
  })

  it('give Prometheus its text', async () => {
    const answer = await get('/metrics')
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4')
    expect(answer.body).toMatch(/^quorate_ready 1$/m)
  })
})

describe('/v1/znodes', () => {
  beforeEach(() => {
    const acl = [{ permissions: 31, scheme: 'world', id: 'anyone' }]
    const creation = { mode: 'persistent', sequential: false, ttlMs: 0, withStat: false } as const
    const create = (path: string, data: Uint8Array | null, read = acl) =>
      http.ensemble.applyForeign({ kind: 'create', path, data, acl: read, ...creation })
    create('/a', new TextEncoder().encode('text'))
    create('/a/c', null)
    create('/a/b', Uint8Array.of(0xff, 0))
    create('/secret', null, [{ permissions: 31, scheme: 'digest', id: 'x:y' }])
  })

  it('gives data, stat and sorted children', async () => {
    const answer = await get('/v1/znodes/a')
    expect([answer.statusCode, answer.json()]).toMatchObject([
      200,
      {
        path: '/a',
        data: 'text',
        encoding: 'utf8',
        stat: { czxid: '0x1', pzxid: '0x3', version: 0, cversion: 2, numChildren: 2 },
        children: ['b', 'c'],
      },
    ])
    expect((await get('/v1/znodes/')).json()).toMatchObject({ path: '/' })
    expect((await get('/v1/znodes/a/b')).json()).toMatchObject({ data: '/wA=', encoding: 'base64' })
    expect((await get('/v1/znodes/a/c')).json()).toMatchObject({ data: null })
  })

  it.each([
    ['/v1/znodes/none', 404, 'ZNODE_NOT_FOUND'],
    ['/v1/znodes/secret', 403, 'ZNODE_FORBIDDEN'],
    ['/v1/znodes/a/', 400, 'INVALID_FIELD'],
    ['/v1/znodes/a?consistency=no', 400, 'INVALID_FIELD'],
  ])('refuses %s with %i', async (url, status, code) => {
    const answer = await get(url)
    expect([answer.statusCode, answer.json().code]).toEqual([status, code])
  })

  it('names the field of a bad path', async () => {
    expect((await get('/v1/znodes/a//b')).json()).toMatchObject({ field: 'path' })
  })

  it('is linearizable unless told otherwise', async () => {
    http.ensemble.leader = null
    expect((await get('/v1/znodes/a')).statusCode).toBe(503)
    expect((await get('/v1/znodes/a?consistency=local')).statusCode).toBe(200)
  })
})

describe('/v1/ensemble', () => {
  const second = { ...MEMBER, id: 'id-2', name: '2', httpAddress: '127.0.0.1:1' }
  beforeEach(() => {
    http.ensemble.members = [MEMBER, second]
    http.ensemble.progress = [{ peer: 'id-2', match: 7, state: 'replicate', silentTicks: 0 }]
  })

  it('shows members with role, position and the leader', async () => {
    expect((await get('/v1/ensemble')).json()).toMatchObject({
      name: '1',
      role: 'leader',
      term: 3,
      leader: '1',
      ready: true,
      members: [
        { name: '1', leader: true, match: null },
        { name: '2', leader: false, match: 7, state: 'replicate' },
      ],
    })
  })

  it('gathers how each server sees itself, and who cannot be reached', async () => {
    const peer = createServer((_, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ role: 'follower', term: 3, ready: true }))
    })
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
    const address = peer.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    http.ensemble.members = [
      MEMBER,
      { ...second, httpAddress: `127.0.0.1:${port}` },
      { ...second, id: 'id-3', name: '3', observer: true },
    ]
    const { servers } = (await get('/v1/ensemble/servers')).json()
    await new Promise((resolve) => peer.close(resolve))
    expect(servers).toMatchObject([
      { name: '1', reachable: true, role: 'leader' },
      { name: '2', reachable: true, role: 'follower' },
      { name: '3', reachable: false, configuredRole: 'observer', reason: expect.any(String) },
    ])
  })

  it('hands leadership over', async () => {
    expect((await call('POST', '/v1/ensemble/transfer', { to: '2' })).statusCode).toBe(202)
    expect((await call('POST', '/v1/ensemble/transfer', {})).statusCode).toBe(202)
    expect(http.ensemble.transfers).toEqual(['id-2', null])
    const unknown = await call('POST', '/v1/ensemble/transfer', { to: '9' })
    expect([unknown.statusCode, unknown.json().code]).toEqual([404, 'MEMBER_NOT_FOUND'])
    const wrong = await call('POST', '/v1/ensemble/transfer', { too: '2' })
    expect([wrong.statusCode, wrong.json().field]).toEqual([400, 'too'])
    http.ensemble.transferAnswer = 'noTarget'
    const alone = await call('POST', '/v1/ensemble/transfer', {})
    expect([alone.statusCode, alone.json().code]).toEqual([409, 'NO_TRANSFER_TARGET'])
  })

  it('sends changes to the leader with its address', async () => {
    http.ensemble.leader = 'id-2'
    http.ensemble.transferAnswer = 'notLeader'
    http.ensemble.removalRefusal = 'notLeader'
    for (const answer of [
      await call('POST', '/v1/ensemble/transfer', {}),
      await call('DELETE', '/v1/ensemble/members/2'),
    ]) {
      expect([answer.statusCode, answer.json()]).toMatchObject([
        409,
        { code: 'NOT_LEADER', leader: '127.0.0.1:1' },
      ])
    }
  })

  it('removes a member', async () => {
    expect((await call('DELETE', '/v1/ensemble/members/2')).statusCode).toBe(204)
    expect(http.ensemble.removals).toEqual(['2'])
    http.ensemble.removalRefusal = 'unknownMember'
    expect((await call('DELETE', '/v1/ensemble/members/9')).statusCode).toBe(404)
    http.ensemble.removalRefusal = 'changeInProgress'
    const busy = await call('DELETE', '/v1/ensemble/members/2')
    expect([busy.statusCode, busy.json()]).toEqual([
      409,
      { code: 'CHANGE_REFUSED', message: 'changeInProgress' },
    ])
  })

  it('lets a removed member come back', async () => {
    const back = await call('POST', '/v1/ensemble/members/2')
    expect([back.statusCode, back.json()]).toEqual([202, { status: 'awaited' }])
    expect(http.ensemble.readmissions).toEqual(['2'])
    http.ensemble.readmissionRefusal = 'unknownMember'
    expect((await call('POST', '/v1/ensemble/members/9')).statusCode).toBe(404)
    http.ensemble.readmissionRefusal = 'alreadyMember'
    expect((await call('POST', '/v1/ensemble/members/1')).json().code).toBe('CHANGE_REFUSED')
  })

  it('takes a snapshot', async () => {
    http.ensemble.applyForeign({ kind: 'error', code: 0 })
    const taken = await call('POST', '/v1/snapshot')
    expect([taken.statusCode, taken.json()]).toEqual([200, { index: 1 }])
    http.ensemble.snapshotRefusal = 'one is being taken'
    const refused = await call('POST', '/v1/snapshot')
    expect([refused.statusCode, refused.json().code]).toEqual([409, 'SNAPSHOT_REFUSED'])
  })
})

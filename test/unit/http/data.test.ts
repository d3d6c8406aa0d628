import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { plainCreate } from '../../../server/core/machine/operation.ts'
import type { SubmitRefusal } from '../../../server/ensemble/ensemble.ts'
import { type HttpHarness, httpHarness } from './harness.ts'

let http: HttpHarness
beforeEach(async () => {
  http = await httpHarness()
})
afterEach(async () => {
  await http.close()
})

const post = (payload: unknown) =>
  http.app.inject({
    method: 'POST',
    url: '/v1/data',
    headers: { 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  })
const url = (key: string) => `/v1/data/${encodeURIComponent(key)}`
const get = (key: string, query = '') => http.app.inject(`${url(key)}${query}`)
const remove = (key: string) => http.app.inject({ method: 'DELETE', url: url(key) })

describe('the key-value API', () => {
  it('sets, gives and deletes a pair', async () => {
    const set = await post({ k: 'a', v: '1' })
    expect([set.statusCode, set.json()]).toEqual([200, { k: 'a', v: '1' }])
    const got = await get('a')
    expect([got.statusCode, got.body]).toEqual([200, '{"k":"a","v":"1"}'])
    expect((await post({ k: 'a', v: '2' })).statusCode).toBe(200)
    expect((await get('a')).json()).toEqual({ k: 'a', v: '2' })
    const deleted = await remove('a')
    expect([deleted.statusCode, deleted.body]).toEqual([204, ''])
    const gone = await get('a')
    expect([gone.statusCode, gone.json()]).toEqual([
      404,
      { code: 'KEY_NOT_FOUND', message: 'no key a' },
    ])
    expect((await remove('a')).statusCode).toBe(404)
  })

  it.each(['a/b', '...', 'ü€😀', 'a b%2F', '%', '?x=1', '\u0001'])(
    'takes %j as a key, one znode',
    async (key) => {
      expect((await post({ k: key, v: key })).statusCode).toBe(200)
      expect((await get(key)).json()).toEqual({ k: key, v: key })
      expect(http.ensemble.machine.tree.children('/quorate/data')).toHaveLength(1)
      expect((await remove(key)).statusCode).toBe(204)
    },
  )

  it('keeps an empty value', async () => {
    await post({ k: 'a', v: '' })
    expect((await get('a')).json()).toEqual({ k: 'a', v: '' })
  })

  it.each([
    [{ k: 'a' }, 'v'],
    [{ v: '1' }, 'k'],
    [{ k: '', v: '1' }, 'k'],
    [{ k: 1, v: '1' }, 'k'],
    [{ k: 'a', v: 1 }, 'v'],
    [{ k: 'a', v: null }, 'v'],
    [{ k: 'a', v: '1', ttl: 5 }, 'ttl'],
    ['[]', 'body'],
    ['"a"', 'body'],
    ['{"k":"\\ud800","v":""}', 'k'],
  ])('refuses %j and names the field', async (body, field) => {
    const answer = await post(body)
    expect([answer.statusCode, answer.json()]).toMatchObject([
      400,
      { code: 'INVALID_FIELD', field },
    ])
  })

  it.each([
    ['{"k":', 'application/json'],
    ['', 'application/json'],
    ['k=a', 'application/x-www-form-urlencoded'],
  ])('refuses %j as %s', async (payload, type) => {
    const answer = await http.app.inject({
      method: 'POST',
      url: '/v1/data',
      headers: { 'content-type': type },
      payload,
    })
    expect([answer.statusCode, answer.json().code]).toEqual([400, 'BAD_REQUEST'])
  })

  it('refuses a body above the limit with 413, a long key with 400', async () => {
    const large = await post({ k: 'a', v: 'x'.repeat(3_000) })
    expect([large.statusCode, large.json().code]).toEqual([413, 'BODY_TOO_LARGE'])
    const long = 'ü'.repeat(51)
    const refused = [await post({ k: long, v: '' }), await get(long), await remove(long)]
    for (const answer of refused) {
      expect([answer.statusCode, answer.json().code]).toEqual([400, 'KEY_TOO_LONG'])
    }
    expect((await post({ k: 'ü'.repeat(50), v: '' })).statusCode).toBe(200)
  })

  it('refuses an unknown consistency', async () => {
    const answer = await get('a', '?consistency=eventual')
    expect([answer.statusCode, answer.json()]).toMatchObject([400, { field: 'consistency' }])
  })
})

describe('reads', () => {
  it('wait for their barrier, unless local ones are asked for', async () => {
    await post({ k: 'a', v: '1' })
    http.ensemble.immediate = false
    expect((await get('a', '?consistency=local')).json()).toEqual({ k: 'a', v: '1' })
    const waiting = get('a')
    await expect.poll(() => http.ensemble.barriers).toBe(1)
    http.ensemble.applyForeign({
      kind: 'setData',
      path: '/quorate/data/a',
      data: new TextEncoder().encode('2'),
      version: -1,
    })
    http.ensemble.passBarriers()
    expect((await waiting).json()).toEqual({ k: 'a', v: '2' })
  })

  it('without a leader are answered 503 with a code and when to retry', async () => {
    http.ensemble.leader = null
    const answer = await get('a')
    expect([answer.statusCode, answer.headers['retry-after'], answer.json().code]).toEqual([
      503,
      '1',
      'NO_LEADER',
    ])
  })
})

describe('writes', () => {
  it.each<[SubmitRefusal, string]>([
    ['noLeader', 'NO_LEADER'],
    ['overloaded', 'SERVER_BUSY'],
    ['diskFull', 'DISK_FULL'],
    ['notFormed', 'NOT_FORMED'],
    ['stopping', 'STOPPING'],
  ])('that are refused because %s are answered 503 %s', async (refusal, code) => {
    http.ensemble.refusal = refusal
    for (const answer of [await post({ k: 'a', v: '1' }), await remove('a')]) {
      expect([answer.statusCode, answer.headers['retry-after'], answer.json().code]).toEqual([
        503,
        '1',
        code,
      ])
    }
  })

  it('whose leader is lost may or may not be applied, and say so', async () => {
    http.ensemble.immediate = false
    const waiting = remove('a')
    await expect.poll(() => http.ensemble.waiting).toBe(1)
    http.ensemble.loseAll()
    const answer = await waiting
    expect([answer.statusCode, answer.json().code]).toEqual([503, 'OUTCOME_UNKNOWN'])
  })

  it.each([
    ['the leader', true, { apiTimeoutMs: 20, forwardTimeoutMs: 60_000 }],
    ['a follower, by its own limit', false, { apiTimeoutMs: 60_000, forwardTimeoutMs: 20 }],
  ])('that take too long on %s are answered 503', async (_, leads, limits) => {
    const slow = await httpHarness(limits)
    slow.ensemble.immediate = false
    slow.ensemble.isLeader = leads
    const answer = await slow.app.inject({ method: 'DELETE', url: '/v1/data/a' })
    expect([answer.statusCode, answer.json().code]).toEqual([503, 'REQUEST_TIMEOUT'])
    await slow.close()
  })

  it('create the root when it is missing, also against one who deletes it', async () => {
    await post({ k: 'a', v: '1' })
    http.ensemble.applyForeign({ kind: 'delete', path: '/quorate/data/a', version: -1 })
    http.ensemble.applyForeign({ kind: 'delete', path: '/quorate/data', version: -1 })
    expect((await post({ k: 'b', v: '2' })).statusCode).toBe(200)
  })

  it('that the tree refuses say why', async () => {
    await post({ k: 'a', v: '1' })
    // Keys have no children of their own, unless a ZooKeeper client makes some.
    http.ensemble.applyForeign(plainCreate('/quorate/data/a/child', null))
    const answer = await remove('a')
    expect([answer.statusCode, answer.json()]).toEqual([
      409,
      { code: 'TREE_REFUSED', message: 'notEmpty', zookeeperCode: ErrorCode.notEmpty },
    ])
  })
})

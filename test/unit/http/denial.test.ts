import { afterEach, describe, expect, it } from 'vitest'
import { Audit, type AuditEntry } from '../../../server/audit/audit.ts'
import { plainCreate } from '../../../server/core/machine/operation.ts'
import type { Authorisation } from '../../../server/http/authorisation.ts'
import { type HttpHarness, httpHarness } from './harness.ts'

const TOKEN: Authorisation = { mode: 'token', token: 'secret' }

let http: HttpHarness
let told: AuditEntry[] = []
afterEach(async () => {
  await http.close()
})

async function serve(authorisation: Authorisation, everything = true, denialsMax = 1_000) {
  told = []
  const audit = new Audit({
    everything,
    serverUser: 'me',
    write: (entry) => void told.push(entry),
    tellsDenial: () => told.length < denialsMax,
  })
  http = await httpHarness({ authorisation, audit })
}

type Method = 'GET' | 'POST' | 'DELETE'

async function ask(method: Method, url: string, authorization?: string, payload = '{}') {
  const { statusCode } = await http.app.inject({
    method,
    url,
    remoteAddress: '::ffff:10.0.0.9',
    headers: {
      ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
      ...(authorization === undefined ? {} : { authorization }),
    },
    ...(method === 'POST' ? { payload } : {}),
  })
  return statusCode
}

const PAIR = '{"k":"a/b","v":"1"}'
const who = { user: '10.0.0.9', ip: '10.0.0.9' }
const client = { session: '0x0', ...who }
const ADMINISTRATION = [
  ['DELETE', '/v1/ensemble/members/2', '{}', { operation: 'removeMember', member: '2' }],
  ['POST', '/v1/ensemble/members/2', '{}', { operation: 'readmitMember', member: '2' }],
  ['POST', '/v1/ensemble/transfer', '{"to":"2"}', { operation: 'transferLeadership', member: '2' }],
  ['POST', '/v1/ensemble/transfer', '{}', { operation: 'transferLeadership' }],
  ['POST', '/v1/snapshot', '{}', { operation: 'takeSnapshot' }],
  ['GET', '/commands/snap', '', { operation: 'takeSnapshot' }],
] as const

describe('a request over HTTP that is denied', () => {
  it.each(ADMINISTRATION)('is audited: %s %s %s', async (method, url, payload, entry) => {
    await serve(TOKEN, false)
    expect(await ask(method, url, undefined, payload)).toBe(401)
    expect(await ask(method, url, 'Bearer guess', payload)).toBe(401)
    expect(told).toEqual(Array(2).fill({ ...who, ...entry, result: 'failure' }))
  })

  it.each(ADMINISTRATION)('is audited where HTTP is closed: %s %s %s', async (...row) => {
    await serve({ mode: 'closed' }, false)
    const [method, url, payload, entry] = row
    expect(await ask(method, url, undefined, payload)).toBe(403)
    expect(told).toEqual([{ ...who, ...entry, result: 'failure' }])
  })

  it('is audited as a write where writes are, with who is known', async () => {
    await serve({ mode: 'closed' })
    const ann = `Basic ${Buffer.from('ann:pw').toString('base64')}`
    expect(await ask('POST', '/v1/data', ann, PAIR)).toBe(403)
    expect(await ask('DELETE', '/v1/data/a', 'digest nobody')).toBe(403)
    expect(told).toEqual([
      {
        ...client,
        user: '10.0.0.9,ann',
        operation: 'setData',
        znode: '/quorate/data/a%2Fb',
        result: 'failure',
      },
      expect.objectContaining({ operation: 'delete', znode: '/quorate/data/a' }),
    ])
  })

  it('is audited where credentials prove nothing, though everybody may write', async () => {
    await serve({ mode: 'open' })
    expect(await ask('POST', '/v1/data', 'Negotiate abc', PAIR)).toBe(401)
    expect(await ask('POST', '/v1/snapshot', 'Negotiate abc')).toBe(401)
    expect(told).toEqual([
      { ...client, operation: 'setData', znode: '/quorate/data/a%2Fb', result: 'failure' },
      { ...who, operation: 'takeSnapshot', result: 'failure' },
    ])
  })

  it('is audited once where an ACL refuses it', async () => {
    await serve({ mode: 'open' })
    const path = '/quorate/data/a%2Fb'
    const acl = [{ permissions: 1, scheme: 'world', id: 'anyone' }]
    for (const above of ['/quorate', '/quorate/data']) {
      http.ensemble.applyForeign(plainCreate(above, null))
    }
    http.ensemble.applyForeign({ ...plainCreate(path, null), acl })
    expect(await ask('POST', '/v1/data', undefined, PAIR)).toBe(403)
    expect(told).toEqual([
      { ...client, operation: 'setData', znode: '/quorate/data/a%2Fb', result: 'failure' },
    ])
  })

  it('is not audited where it would not be if it was allowed', async () => {
    await serve({ mode: 'closed' }, false)
    expect(await ask('POST', '/v1/data', undefined, PAIR)).toBe(403)
    expect(await ask('GET', '/commands/stat_reset')).toBe(403)
    expect(await ask('POST', '/v1/data', undefined, `{"k":"${'k'.repeat(101)}","v":""}`)).toBe(403)
    expect(await ask('GET', '/v1/data/a', 'Negotiate abc')).toBe(401)
    expect(told).toEqual([])
  })

  it('does not fill the log by one long name', async () => {
    await serve(TOKEN)
    const payload = JSON.stringify({ to: 'x'.repeat(1_025) })
    expect(await ask('POST', '/v1/ensemble/transfer', undefined, payload)).toBe(400)
    expect(told).toEqual([])
  })

  it('is not audited where it asks for no key, or there were too many', async () => {
    await serve(TOKEN, true, 2)
    expect(await ask('POST', '/v1/data', undefined, `{"k":"${'k'.repeat(101)}","v":""}`)).toBe(401)
    expect(told).toEqual([])
    for (let i = 0; i < 3; i += 1) await ask('POST', '/v1/data', undefined, PAIR)
    for (let i = 0; i < 3; i += 1) await ask('POST', '/v1/snapshot')
    expect(told).toHaveLength(2)
  })
})

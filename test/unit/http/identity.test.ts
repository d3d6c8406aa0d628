import { afterEach, describe, expect, it } from 'vitest'
import { type Acl, OPEN_ACL } from '../../../server/core/tree/acl.ts'
import type { AppOptions } from '../../../server/http/route-context.ts'
import {
  type Authenticator,
  DIGEST_ALONE,
  digestId,
} from '../../../server/listener/authentication.ts'
import { type HttpHarness, httpHarness } from './harness.ts'

const ANN = digestId('ann:sécret', 'sha1')
const own: Acl = [{ permissions: 31, scheme: 'digest', id: ANN }]
const basic = `Basic ${Buffer.from('ann:sécret').toString('base64')}`
/** Header bytes are characters for Node. */
const digest = `digest ${Buffer.from('ann:sécret').toString('latin1')}`

let http: HttpHarness
afterEach(async () => {
  await http.close()
})

/** A server with a znode and a key that are Ann's. */
async function serve(options: Partial<AppOptions> = {}): Promise<void> {
  http = await httpHarness(options)
  const common = { mode: 'persistent', sequential: false, ttlMs: 0, withStat: false } as const
  const create = (path: string, acl: Acl) =>
    http.ensemble.applyForeign({ kind: 'create', path, data: Buffer.from('v'), acl, ...common })
  create('/quorate', OPEN_ACL)
  create('/quorate/data', OPEN_ACL)
  create('/quorate/data/k', own)
  create('/ann', own)
  create('/home', [{ permissions: 1, scheme: 'ip', id: '10.0.0.0/8' }])
}

type Method = 'GET' | 'POST' | 'DELETE'

async function ask(method: Method, url: string, authorization?: string, remoteAddress?: string) {
  const { statusCode, body } = await http.app.inject({
    method,
    url,
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    headers: {
      ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
      ...(authorization === undefined ? {} : { authorization }),
    },
    ...(method === 'POST' ? { payload: '{"k":"k","v":"new"}' } : {}),
  })
  return [statusCode, body === '' ? null : (JSON.parse(body).code ?? 'ok')]
}

const REQUESTS = [
  ['GET', '/v1/znodes/ann'],
  ['GET', '/v1/data/k'],
  ['POST', '/v1/data'],
] as const

describe('ACLs over HTTP', () => {
  it.each(REQUESTS)('keep the others out: %s %s', async (method, url) => {
    await serve()
    for (const authorization of [undefined, 'digest ann:guess', 'Bearer anything']) {
      expect(await ask(method, url, authorization)).toEqual([403, 'ZNODE_FORBIDDEN'])
    }
  })

  it.each(REQUESTS)('let the owner in, by digest or Basic: %s %s', async (method, url) => {
    await serve()
    for (const authorization of [digest, digest.replace('digest', 'Digest'), basic]) {
      expect(await ask(method, url, authorization)).toEqual([200, 'ok'])
    }
  })

  it('are asked of the parent for a delete', async () => {
    await serve()
    http.ensemble.applyForeign({ kind: 'setAcl', path: '/quorate/data', acl: own, version: -1 })
    expect(await ask('DELETE', '/v1/data/k')).toEqual([403, 'ZNODE_FORBIDDEN'])
    expect(await ask('DELETE', '/v1/data/k', basic)).toEqual([204, null])
  })

  it('know a caller by its address', async () => {
    await serve()
    expect(await ask('GET', '/v1/znodes/home', undefined, '10.1.2.3')).toEqual([200, 'ok'])
    // As a port for all addresses has it.
    const within = await ask('GET', '/v1/znodes/home', undefined, '::ffff:10.1.2.3')
    expect(within).toEqual([200, 'ok'])
    expect(await ask('GET', '/v1/znodes/home', undefined, '192.168.1.1')).toEqual([
      403,
      'ZNODE_FORBIDDEN',
    ])
  })

  it.each(REQUESTS)('are not for the holder of the token: %s %s', async (method, url) => {
    await serve({ authorisation: { mode: 'token', token: 'right' } })
    expect(await ask(method, url, 'Bearer right')).toEqual([200, 'ok'])
    expect(await ask(method, url, 'Bearer wrong')).toEqual([401, 'UNAUTHORISED'])
  })

  it('are not for the superuser, nor for anybody where they are skipped', async () => {
    await serve({ authenticator: { ...DIGEST_ALONE, superDigest: digestId('super:x', 'sha1') } })
    expect(await ask('GET', '/v1/data/k', 'digest super:x')).toEqual([200, 'ok'])
    await http.close()
    await serve({ authenticator: { ...DIGEST_ALONE, skipAcl: true } })
    expect(await ask('GET', '/v1/data/k')).toEqual([200, 'ok'])
  })

  it.each(['digest', 'Digest ', 'Negotiate x', 'Basic', ''])(
    'refuse a header that proves nothing: %j',
    async (authorization) => {
      await serve()
      expect(await ask('GET', '/v1/znodes/ann', authorization)).toEqual([401, 'UNAUTHORISED'])
    },
  )

  it('refuse a digest where the scheme is off', async () => {
    await serve({ authenticator: { ...DIGEST_ALONE, schemes: new Set() } })
    expect(await ask('GET', '/v1/znodes/ann', basic)).toEqual([401, 'UNAUTHORISED'])
  })
})

describe('a server that demands a scheme', () => {
  const authenticator: Authenticator = { ...DIGEST_ALONE, enforcedSchemes: new Set(['digest']) }

  it('demands it over HTTP too, but of the holder of the token', async () => {
    await serve({ authenticator, authorisation: { mode: 'token', token: 'right' } })
    expect(await ask('GET', '/v1/znodes/')).toEqual([401, 'UNAUTHORISED'])
    expect(await ask('GET', '/v1/znodes/', basic)).toEqual([200, 'ok'])
    expect(await ask('GET', '/v1/znodes/', 'Bearer right')).toEqual([200, 'ok'])
    expect(await ask('GET', '/v1/ensemble')).toEqual([200, 'ok'])
  })
})

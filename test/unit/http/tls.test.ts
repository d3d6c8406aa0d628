import { copyFileSync, readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect as connectPlain, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Audit, type AuditEntry } from '../../../server/audit/audit.ts'
import { ensembleCommand } from '../../../server/cli/ensemble-command.ts'
import type { Authorisation } from '../../../server/http/authorisation.ts'
import type { HttpTls } from '../../../server/http/tls-server.ts'
import { DIGEST_ALONE } from '../../../server/listener/authentication.ts'
import { type ClientAuth, Credentials } from '../../../server/tls/credentials.ts'
import {
  CertificateAuthority,
  type IssuedCertificate,
  tlsFiles,
} from '../../support/certificates.ts'
import { waitFor } from '../../support/wait-for.ts'
import { httpHarness } from './harness.ts'

const authority = new CertificateAuthority()
const stranger = new CertificateAuthority()
const server = authority.issue()
const admin = authority.issue({ subject: '/O=Acme/CN=admin' })
const live = authority.file('live-http.pem')
const ends: (() => Promise<void> | void)[] = []
beforeAll(() => copyFileSync(server.both, live))
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})
afterAll(() => {
  authority.remove()
  stranger.remove()
})

const SECOND = {
  id: 'id-2',
  name: '2',
  observer: false,
  role: 'voter',
  peerAddress: '127.0.0.1:2889',
  clientAddress: '127.0.0.1:2182',
} as const

interface Setup {
  readonly shared?: boolean
  readonly clientAuth?: ClientAuth
  readonly authorisation?: Authorisation
  readonly superSubject?: string
  readonly handshakeTimeoutMs?: number
}

async function secure({
  shared = false,
  clientAuth = 'want',
  authorisation = { mode: 'closed' },
  superSubject = '',
  handshakeTimeoutMs = 300,
}: Setup = {}) {
  const credentials = await Credentials.open({
    name: 'http',
    files: tlsFiles({ certificateFile: live, caFile: authority.certificate }),
    policy: { versionMin: 'TLSv1.2', ciphers: '' },
    clientAuth,
    pollMs: 60_000,
    log: () => {},
  })
  const tls: HttpTls = {
    credentials,
    shared,
    handshakeTimeoutMs,
    superSubject,
    verifyHost: true,
  }
  const told: AuditEntry[] = []
  const audit = new Audit({
    everything: true,
    serverUser: 'me',
    write: (entry) => void told.push(entry),
    tellsDenial: () => true,
  })
  const authenticator = { ...DIGEST_ALONE, schemes: new Set(['digest', 'x509'] as const) }
  const harness = await httpHarness({ tls, authorisation, audit, authenticator })
  await harness.app.listen({ host: '127.0.0.1', port: 0 })
  ends.push(() => harness.close())
  const address = harness.app.server.address()
  return {
    ...harness,
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    credentials,
    told,
  }
}

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly body?: object
  readonly token?: string
  /** Null: plain HTTP. */
  readonly tls?: ConnectionOptions | null
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

function ask(
  port: number,
  { method = 'GET', path = '/livez', body, token, tls = as() }: Asked = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const options = {
      ...{ host: '127.0.0.1', port, method, path, agent: false as const },
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    }
    const request = tls === null ? plainRequest(options) : secureRequest({ ...options, ...tls })
    request.on('error', reject)
    request.on('response', (response) => {
      let text = ''
      response.on('data', (data) => (text += String(data)))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      )
    })
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Trust in the authority, and a certificate or none. */
function as(shown: IssuedCertificate | null = null): ConnectionOptions {
  const ca = readFileSync(authority.certificate)
  if (shown === null) return { ca }
  return { ca, cert: readFileSync(shown.certificate), key: readFileSync(shown.key) }
}

const pair = { method: 'POST', path: '/v1/data', body: { k: 'a', v: '1' } }

describe('HTTP over TLS', () => {
  it('alone answers nothing that is plain, and certificates of others with nothing', async () => {
    const { port } = await secure()
    expect((await ask(port)).status).toBe(200)
    expect((await ask(port, { path: '/' })).text).toBe('the index.html')
    await expect(ask(port, { tls: null })).rejects.toThrow()
    await expect(ask(port, { tls: as(stranger.issue()) })).rejects.toThrow()
    expect((await ask(port, { tls: as(admin) })).status).toBe(200)
  })

  it('on a shared port answers both, and requests one after the other', async () => {
    const { port } = await secure({ shared: true })
    for (const tls of [null, as(), null, as(admin)]) {
      expect((await ask(port, { tls })).status).toBe(200)
    }
    // One connection, two requests in one piece, the first byte alone.
    const socket = connectPlain(port, '127.0.0.1')
    ends.push(() => void socket.destroy())
    let text = ''
    socket.on('data', (data) => (text += String(data)))
    socket.write('G')
    await new Promise((resolve) => setImmediate(resolve))
    const get = 'ET /livez HTTP/1.1\r\nhost: a\r\n\r\n'
    socket.write(`${get}G${get}`)
    await waitFor('both answers', () => text.split('HTTP/1.1 200').length === 3)
  })

  it('demands a certificate where it needs one', async () => {
    const { port } = await secure({ clientAuth: 'need' })
    await expect(ask(port)).rejects.toThrow()
    expect((await ask(port, { tls: as(admin) })).status).toBe(200)
  })

  it('shows a new certificate without a restart', async () => {
    const { port, credentials } = await secure()
    const next = authority.issue({ names: 'DNS:elsewhere' })
    copyFileSync(next.both, live)
    await credentials.refresh()
    await expect(ask(port)).rejects.toThrow('altnames')
    copyFileSync(server.both, live)
    await credentials.refresh()
    expect((await ask(port)).status).toBe(200)
  })

  const half = async (port: number, first: Uint8Array) => {
    const socket: Socket = connectPlain(port, '127.0.0.1')
    ends.push(() => void socket.destroy())
    socket.on('error', () => {}).resume()
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    socket.write(first)
    return socket
  }

  it('waits for no handshake for ever', async () => {
    const { port, credentials } = await secure({ shared: true })
    const mute = await half(port, Uint8Array.of())
    const begun = await half(port, Uint8Array.of(0x16, 3, 1))
    await waitFor('their end', () => mute.destroyed && begun.destroyed)
    expect(credentials.handshakeFailures).toBe(1)
  })

  it('waits for no handshake when the server stops', async () => {
    const { port, app } = await secure({ handshakeTimeoutMs: 3_600_000 })
    const begun = await half(port, Uint8Array.of(0x16, 3, 1))
    await app.close()
    await waitFor('its end', () => begun.destroyed)
  })
})

describe('servers among each other', () => {
  it('ask over TLS where the address says so, and show their certificates', async () => {
    const other = await secure({ clientAuth: 'need' })
    const asking = await secure()
    asking.ensemble.members = [
      ...asking.ensemble.members,
      { ...SECOND, httpAddress: `https://127.0.0.1:${other.port}` },
    ]
    const view = async () => JSON.parse((await ask(asking.port, servers)).text).servers[1]
    const servers = { path: '/v1/ensemble/servers' }
    expect(await view()).toMatchObject({ name: '2', reachable: true, role: 'leader' })
    other.credentials.unwatch()
    copyFileSync(authority.issue({ names: 'DNS:elsewhere' }).both, live)
    await other.credentials.refresh()
    const refused = await view()
    copyFileSync(server.both, live)
    expect(refused).toMatchObject({ reachable: false, reason: expect.stringContaining('altnames') })
  })
})

describe('certificates over HTTP', () => {
  it('let in who shows one that was checked, and nobody else', async () => {
    const { port, told } = await secure({
      shared: true,
      authorisation: { mode: 'certificate', token: '' },
    })
    for (const tls of [null, as()]) {
      const { status, text } = await ask(port, { ...pair, tls })
      expect([status, JSON.parse(text).code]).toEqual([401, 'UNAUTHORISED'])
    }
    expect((await ask(port, { ...pair, tls: null, token: '' })).status).toBe(401)
    const denied = { user: '127.0.0.1', operation: 'setData', result: 'failure' }
    expect(told).toMatchObject([denied, denied, denied])
    expect((await ask(port, { ...pair, tls: as(admin) })).status).toBe(200)
    const removal = { method: 'DELETE', path: '/v1/ensemble/members/none', tls: as(admin) }
    await ask(port, removal)
    const who = { user: '127.0.0.1,CN=admin,O=Acme', ip: '127.0.0.1' }
    expect(told.at(-1)).toMatchObject({ ...who, operation: 'removeMember', member: 'none' })
    expect(told).toContainEqual({
      ...{ session: '0x0', ...who, operation: 'create', result: 'success' },
      ...{ znode: '/quorate/data/a', znode_type: 'persistent' },
    })
  })

  it('or a token beside them', async () => {
    const both = { mode: 'certificate', token: 'right' } as const
    const { port, told } = await secure({ authorisation: both })
    expect((await ask(port, { ...pair, token: 'right' })).status).toBe(200)
    expect((await ask(port, { ...pair, token: 'wrong' })).status).toBe(401)
    expect(told.at(-1)).toMatchObject({ user: '127.0.0.1', result: 'failure' })
    expect((await ask(port, { ...pair, token: 'wrong', tls: as(admin) })).status).toBe(401)
    expect(told.at(-1)).toMatchObject({ user: '127.0.0.1,CN=admin,O=Acme', result: 'failure' })
    expect((await ask(port, { ...pair, tls: as(admin) })).status).toBe(200)
  })

  it('are names in ACLs, and may be that of the superuser', async () => {
    const { port, ensemble } = await secure({
      authorisation: { mode: 'open' },
      superSubject: 'CN=admin,O=Acme',
    })
    const client = authority.issue({ subject: '/O=Acme/CN=client' })
    await ask(port, { ...pair, tls: as(client) })
    const identities = ensemble.submitted.at(-1)?.identities
    expect(identities).toEqual([
      { scheme: 'ip', id: '127.0.0.1' },
      { scheme: 'x509', id: 'CN=client,O=Acme' },
    ])
    await ask(port, { ...pair, tls: as(admin) })
    expect(ensemble.submitted.at(-1)?.identities).toContainEqual({
      scheme: 'super',
      id: 'CN=admin,O=Acme',
    })
  })

  it("are shown by the command line's ensemble, too", async () => {
    const { port, told } = await secure({ authorisation: { mode: 'certificate', token: '' } })
    const run = (...args: string[]) =>
      ensembleCommand()
        .exitOverride()
        .parseAsync([...args, '--url', `https://localhost:${port}`], { from: 'user' })
    const ca = ['--ca', authority.certificate]
    await expect(run('remove', 'none', ...ca)).rejects.toThrow('401')
    await expect(run('remove', 'none')).rejects.toThrow('does not answer')
    await run('transfer', ...ca, '--certificate', admin.certificate, '--key', admin.key)
    expect(told.at(-1)).toMatchObject({ operation: 'transferLeadership', result: 'invoked' })
  })
})

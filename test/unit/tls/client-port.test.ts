import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as connectPlain, createServer, type Server, type Socket } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ZkClient } from '../../../server/cli/zk-client.ts'
import type { ListenerOptions, ListenerTls } from '../../../server/listener/listener.ts'
import { type ClientAuth, Credentials } from '../../../server/tls/credentials.ts'
import type { TlsFiles } from '../../../server/tls/stores.ts'
import {
  CertificateAuthority,
  type IssuedCertificate,
  tlsFiles,
} from '../../support/certificates.ts'
import { reservePorts } from '../../support/ports.ts'
import { fourLetterWord } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import { closeListeners, forgetListener, listen } from '../listener/loopback.ts'

let authority: CertificateAuthority
let stranger: CertificateAuthority
let server: IssuedCertificate
let client: IssuedCertificate
beforeAll(() => {
  authority = new CertificateAuthority()
  stranger = new CertificateAuthority()
  server = authority.issue()
  client = authority.issue({ subject: '/O=Acme/CN=client' })
})
afterAll(() => {
  authority.remove()
  stranger.remove()
})

const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await closeListeners()
})

interface Setup extends Partial<ListenerOptions> {
  readonly clientAuth?: ClientAuth
  readonly files?: Partial<TlsFiles>
  readonly shared?: boolean
  readonly superSubject?: string
}

/** A listener with a port for TLS alone, beside its own. */
async function secure({
  clientAuth = 'need',
  files,
  shared,
  superSubject,
  ...options
}: Setup = {}) {
  const logged: object[] = []
  const credentials = await Credentials.open({
    name: 'client',
    files: tlsFiles({
      certificateFile: server.certificate,
      keyFile: server.key,
      caFile: authority.certificate,
      ...files,
    }),
    policy: { versionMin: 'TLSv1.2', ciphers: '' },
    clientAuth,
    pollMs: 60_000,
    log: (_level, message, fields) => void logged.push({ message, ...fields }),
  })
  const [securePort = 0] = await reservePorts(1)
  const tls: ListenerTls = {
    credentials,
    host: '127.0.0.1',
    port: securePort,
    shared: shared === true,
    superSubject: superSubject ?? '',
  }
  const listening = await listen({ ...options, tls })
  await listening.listener.listenSecurely()
  return { ...listening, securePort, credentials, logged }
}

/** What a client of TLS gives: trust in the authority, and a certificate or none. */
function as(shown: IssuedCertificate | null): ConnectionOptions {
  const ca = readFileSync(authority.certificate)
  if (shown === null) return { ca }
  return { ca, cert: readFileSync(shown.certificate), key: readFileSync(shown.key) }
}

function zk(port: number, shown: IssuedCertificate | null): Promise<ZkClient> {
  return ZkClient.connect([`localhost:${port}`], 5_000, as(shown))
}

function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: 'localhost', ...options }, () => resolve(socket))
    sockets.push(socket)
    socket.on('error', reject)
  })
}

const open = [{ scheme: 'world', id: 'anyone', permissions: 31 }]

describe('the port for TLS', () => {
  it('serves sessions and words, and nothing without TLS', async () => {
    const { securePort, port, ensemble } = await secure({ clientAuth: 'none' })
    const zookeeper = await zk(securePort, null)
    await zookeeper.create('/a', Buffer.from('1'.repeat(50_000)), open, 'persistent', false, 0)
    expect((await zookeeper.get('/a', false)).data).toHaveLength(50_000)
    await zookeeper.close()
    const socket = await handshake(securePort, as(null))
    const answer: Buffer[] = []
    socket.on('data', (data) => answer.push(data))
    socket.write('ruok')
    await waitFor('its end', () => socket.closed)
    expect(Buffer.concat(answer).toString()).toBe('imok')
    expect(await fourLetterWord(securePort, 'ruok')).not.toContain('imok')
    expect(await fourLetterWord(port, 'ruok')).toBe('imok')
    expect(ensemble.machine.sessions.count).toBe(0)
  })

  it('closes with the listener, and waits for no handshake', async () => {
    const { listener, securePort } = await secure()
    const zookeeper = await zk(securePort, client)
    const half = connectPlain(securePort, '127.0.0.1')
    sockets.push(half)
    half.on('error', () => {}).write(Uint8Array.of(0x16, 3, 1))
    const late = zookeeper.get('/', true).then(() => zookeeper.stat('/none', false))
    forgetListener(listener)
    await listener.close()
    await expect(late).rejects.toThrow('connectionLoss')
    await waitFor('the end of the handshake', () => half.destroyed)
  })

  it('takes PKCS12, and keys with a password', async () => {
    const pfx = authority.pkcs12(server, 'secret')
    const first = await secure({
      files: { certificateFile: pfx, keyFile: '', keyPassword: 'secret' },
    })
    await (await zk(first.securePort, client)).close()
    expect(first.credentials.expiresInSeconds(Date.now())).toBeGreaterThan(29 * 86_400)
    const keyFile = authority.encryptedKey(server, 'other')
    const second = await secure({ files: { keyFile, keyPassword: 'other' } })
    await (await zk(second.securePort, client)).close()
    const third = await secure({ files: { certificateFile: server.both, keyFile: '' } })
    await (await zk(third.securePort, client)).close()
  })

  it('takes no version of TLS below the least', async () => {
    const { securePort, credentials } = await secure({ clientAuth: 'none' })
    const old = { ...as(null), minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const
    await expect(handshake(securePort, old)).rejects.toThrow()
    await waitFor('the count', () => credentials.handshakeFailures === 1)
  })
})

describe('certificates of clients', () => {
  it.each([
    ['no certificate', () => null, 'no certificate was shown'],
    ['one of another authority', () => stranger.issue(), 'refused: '],
    ['an expired one', () => authority.issue({ days: -1 }), 'refused: CERT_HAS_EXPIRED'],
  ])('needed, keep out who has %s', async (_title, shown, reason) => {
    const { securePort, credentials, ensemble, logged } = await secure()
    await expect(zk(securePort, shown())).rejects.toThrow()
    expect(credentials.handshakeFailures).toBe(1)
    expect(logged).toEqual([
      expect.objectContaining({ reason: expect.stringContaining(reason), failures: 1 }),
    ])
    expect(ensemble.machine.sessions.count).toBe(0)
  })

  it('wanted, may be missing, but not wrong', async () => {
    const { securePort, credentials, listener } = await secure({ clientAuth: 'want' })
    const anonymous = await zk(securePort, null)
    expect([...listener.registry.all()][0]?.identities).toEqual([{ scheme: 'ip', id: '127.0.0.1' }])
    await anonymous.close()
    await expect(zk(securePort, stranger.issue())).rejects.toThrow()
    expect(credentials.handshakeFailures).toBe(1)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'are shown at every connection: nothing resumes in %s',
    async (version) => {
      const { securePort } = await secure()
      const options = { ...as(client), minVersion: version, maxVersion: version }
      const first = await handshake(securePort, options)
      let session = version === 'TLSv1.2' ? first.getSession() : undefined
      first.on('session', (given) => {
        session = given
      })
      // A ticket comes before the answer.
      first.write('ruok')
      first.resume()
      await waitFor('its end', () => first.closed)
      const again = await handshake(securePort, { ...options, ...(session && { session }) })
      expect(again.isSessionReused()).toBe(false)
    },
  )

  it('are an identity that ACLs hold to', async () => {
    const { securePort, port, listener } = await secure()
    const owner = await zk(securePort, client)
    expect([...listener.registry.all()][0]?.identities).toContainEqual({
      scheme: 'x509',
      id: 'CN=client,O=Acme',
    })
    const own = [{ scheme: 'auth', id: '', permissions: 31 }]
    await owner.create('/own', null, own, 'persistent', false, 0)
    expect(await owner.acl('/own')).toEqual([
      { scheme: 'x509', id: 'CN=client,O=Acme', permissions: 31 },
    ])
    const other = await zk(securePort, authority.issue({ subject: '/CN=client' }))
    await expect(other.get('/own', false)).rejects.toThrow('noAuth')
    const plain = await ZkClient.connect([`localhost:${port}`], 5_000)
    await expect(plain.set('/own', null, -1)).rejects.toThrow('noAuth')
    await owner.set('/own', Buffer.from('mine'), -1)
    for (const each of [owner, other, plain]) await each.close()
  })

  it('make a superuser where the settings say so', async () => {
    const { securePort } = await secure({ superSubject: 'CN=client,O=Acme' })
    const nobody = [{ scheme: 'digest', id: 'a:b', permissions: 31 }]
    const root = await zk(securePort, client)
    await root.create('/closed', null, nobody, 'persistent', false, 0)
    await root.set('/closed', Buffer.from('open'), -1)
    const other = await zk(securePort, authority.issue({ subject: '/CN=client' }))
    await expect(other.get('/closed', false)).rejects.toThrow('noAuth')
    for (const each of [root, other]) await each.close()
  })
})

describe('a shared port', () => {
  it('takes plain connections and TLS, though the bytes come one by one', async () => {
    const { port } = await secure({ shared: true })
    const plain = await ZkClient.connect([`localhost:${port}`], 5_000)
    const tls = await zk(port, client)
    await plain.create('/a', null, open, 'persistent', false, 0)
    await tls.stat('/a', false)
    expect(await fourLetterWord(port, 'ruok')).toBe('imok')
    const slow = connectPlain(port, '127.0.0.1')
    sockets.push(slow)
    const received: Buffer[] = []
    slow.on('data', (data) => received.push(data))
    for (const letter of 'ruok') {
      slow.write(letter)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await waitFor('the answer', () => Buffer.concat(received).toString() === 'imok')
    await expect(zk(port, null)).rejects.toThrow()
    for (const each of [plain, tls]) await each.close()
  })

  it('is no shared port unless it is told', async () => {
    const { port } = await secure()
    await expect(handshake(port, as(client))).rejects.toThrow()
  })
})

describe('a handshake that is only begun', () => {
  it.each([true, false])(
    'takes the place of a connection, and not for ever (shared: %s)',
    async (shared) => {
      const { port, securePort, listener, credentials } = await secure({
        shared,
        connectionsMax: 2,
        handshakeTimeoutMs: 300,
      })
      const target = shared ? port : securePort
      const half = [connectPlain(target, '127.0.0.1'), connectPlain(target, '127.0.0.1')]
      sockets.push(...half)
      let closed = 0
      for (const socket of half) socket.on('close', () => (closed += 1)).resume()
      half[0]?.write(Uint8Array.of(0x16, 3, 1))
      await waitFor('both to be taken', async () => {
        await zk(target, client).then(
          (extra) => extra.close(),
          () => {},
        )
        return listener.stats.connectionsRejected > 0
      })
      await waitFor('their end', () => closed === 2)
      expect(credentials.handshakeFailures).toBeGreaterThan(0)
      await (await zk(target, client)).close()
    },
  )
})

describe('a handshake in pieces', () => {
  const relays: Server[] = []
  afterEach(() => {
    for (const relay of relays.splice(0)) relay.close()
  })

  /** A port that hands on byte by byte what its client says. */
  async function crumbling(target: number): Promise<number> {
    const [port = 0] = await reservePorts(1)
    const relay = createServer({ noDelay: true }, (socket) => {
      const onward = connectPlain({ port: target, host: '127.0.0.1', noDelay: true })
      sockets.push(socket, onward)
      onward.pipe(socket)
      socket.on('data', async (chunk) => {
        socket.pause()
        for (const byte of chunk) {
          onward.write(Uint8Array.of(byte))
          await new Promise((resolve) => setImmediate(resolve))
        }
        socket.resume()
      })
    })
    relays.push(relay)
    await new Promise<void>((resolve) => relay.listen(port, '127.0.0.1', resolve))
    return port
  }

  it.each([true, false])('is as good as one at once (shared: %s)', async (shared) => {
    const { port, securePort, credentials } = await secure({ shared })
    const zookeeper = await zk(await crumbling(shared ? port : securePort), client)
    expect(await zookeeper.stat('/', false)).not.toBeNull()
    await zookeeper.close()
    expect(credentials.handshakeFailures).toBe(0)
  })

  it('waits for its turn, and has it, when many come at once', async () => {
    const { securePort, listener } = await secure({ admissionsPerTurnMax: 1 })
    const clients = await Promise.all(Array.from({ length: 12 }, () => zk(securePort, client)))
    expect(listener.registry.count).toBe(12)
    expect(listener.stats.connectionsArriving).toBe(0)
    await Promise.all(clients.map((each) => each.close()))
  })

  it('is refused at once when its first record is longer than there are', async () => {
    const { securePort, credentials } = await secure()
    const socket = connectPlain(securePort, '127.0.0.1')
    sockets.push(socket)
    let closed = false
    socket.on('close', () => (closed = true)).resume()
    socket.write(Uint8Array.of(0x16, 3, 1, 0xff, 0xff))
    await waitFor('the end', () => closed)
    expect(credentials.handshakeFailures).toBe(1)
  })
})

describe('files that change', () => {
  it('are in force for the next connection; broken ones leave the old in force', async () => {
    const files = {
      certificateFile: authority.file('live.pem'),
      keyFile: authority.file('live.key'),
    }
    copyFileSync(server.certificate, files.certificateFile)
    copyFileSync(server.key, files.keyFile)
    const { securePort, credentials, logged } = await secure({ files })
    const before = await zk(securePort, client)
    const serial = async () =>
      (await handshake(securePort, as(client))).getPeerCertificate().serialNumber
    const first = await serial()
    await credentials.refresh()
    expect([credentials.reloads, credentials.reloadFailures]).toEqual([0, 0])

    const next = authority.issue({ days: 60 })
    copyFileSync(next.certificate, files.certificateFile)
    await credentials.refresh()
    // The key is still that of the old one.
    await credentials.refresh()
    expect([credentials.reloads, credentials.reloadFailures]).toEqual([0, 1])
    expect(await serial()).toBe(first)
    copyFileSync(next.key, files.keyFile)
    await credentials.refresh()
    expect([credentials.reloads, credentials.reloadFailures]).toEqual([1, 1])
    const second = await serial()
    expect(second).not.toBe(first)
    const days = (credentials.expiresInSeconds(Date.now()) ?? 0) / 86_400
    expect(Math.round(days)).toBe(60)

    writeFileSync(files.certificateFile, 'not a certificate')
    await credentials.refresh()
    expect(await serial()).toBe(second)
    expect(logged.at(-1)).toMatchObject({ message: expect.stringContaining('cannot be used') })
    // Who was there stays there.
    await before.stat('/', false)
    await before.close()
  })

  it('are looked at by the clock, and other authorities count from then on', async () => {
    const caFile = authority.file('live-ca.pem')
    copyFileSync(stranger.certificate, caFile)
    const credentials = await Credentials.open({
      name: 'client',
      files: tlsFiles({ certificateFile: server.both, caFile }),
      policy: { versionMin: 'TLSv1.2', ciphers: '' },
      clientAuth: 'need',
      pollMs: 10,
      log: () => {},
    })
    const [port = 0] = await reservePorts(1)
    const tls = { credentials, host: '127.0.0.1', port, shared: false, superSubject: '' }
    await (await listen({ tls })).listener.listenSecurely()
    credentials.watch()
    await expect(zk(port, client)).rejects.toThrow()
    copyFileSync(authority.certificate, caFile)
    await waitFor('the reload', () => credentials.reloads === 1)
    await (await zk(port, client)).close()
    credentials.unwatch()
  })
})

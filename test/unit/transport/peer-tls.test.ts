import { connect, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Credentials } from '../../../server/tls/credentials.ts'
import type { TcpTransportOptions } from '../../../server/transport/tcp-transport.ts'
import {
  CertificateAuthority,
  type IssuedCertificate,
  tlsFiles,
} from '../../support/certificates.ts'
import { reservePorts } from '../../support/ports.ts'
import { waitFor } from '../../support/wait-for.ts'
import {
  chunk,
  closeAll,
  numbered,
  type Peer,
  sequences,
  servers,
  sockets,
  start,
} from './loopback-peer.ts'

let authority: CertificateAuthority
let stranger: CertificateAuthority
beforeAll(() => {
  authority = new CertificateAuthority()
  stranger = new CertificateAuthority()
})
afterAll(() => {
  authority.remove()
  stranger.remove()
})
afterEach(closeAll)

interface Choice {
  readonly certificate?: IssuedCertificate
  readonly dial?: boolean
  readonly shared?: boolean
  readonly verifyHost?: boolean
}

async function tlsOf(
  choice: Choice = {},
): Promise<Pick<TcpTransportOptions, 'tls'> & { tls: object }> {
  const { certificate = authority.issue(), dial = true, shared = false, verifyHost = true } = choice
  const credentials = await Credentials.open({
    name: 'peer',
    files: tlsFiles({
      certificateFile: certificate.certificate,
      keyFile: certificate.key,
      caFile: authority.certificate,
    }),
    policy: { versionMin: 'TLSv1.2', ciphers: '' },
    clientAuth: 'need',
    pollMs: 60_000,
    log: () => {},
  })
  return { tls: { credentials, dial, shared, verifyHost } }
}

/** Two servers, the first of which dials the second. */
async function dialled(
  left: Partial<TcpTransportOptions>,
  right: Partial<TcpTransportOptions>,
): Promise<readonly [Peer, Peer]> {
  const [first = 0, second = 0] = await reservePorts(2)
  const a = await start('a', first, left)
  const b = await start('b', second, right)
  a.transport.setTargets([b.address])
  return [a, b]
}

const failures = ({ tls }: Partial<TcpTransportOptions>) => tls?.credentials.handshakeFailures ?? 0

describe('links with TLS', () => {
  it('carry frames in order, large ones too', async () => {
    const [a, b] = await dialled(await tlsOf(), await tlsOf())
    await waitFor('the link', () => a.ups.length === 1)
    a.transport.send('id-b', chunk(700_000))
    for (let i = 0; i < 1_000; i += 1) a.transport.send('id-b', numbered(i))
    await waitFor('all frames', () => b.frames.length === 1_001)
    expect(sequences(b).slice(1)).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
    expect(b.transport.refusedLinks).toBe(0)
  })

  it('keep out who has no certificate of the authority, though it knows the secret', async () => {
    const right = await tlsOf()
    const [a, b] = await dialled(await tlsOf({ certificate: stranger.issue() }), right)
    await waitFor('refusals', () => failures(right) >= 2)
    expect([a.ups, b.frames]).toEqual([[], []])
  })

  it('keep out who speaks plainly', async () => {
    const right = await tlsOf()
    const [a] = await dialled({}, right)
    await waitFor('refusals', () => failures(right) >= 2)
    expect(a.ups).toEqual([])
  })

  it('prove the secret all the same', async () => {
    const [a, b] = await dialled({ ...(await tlsOf()), secret: 'another' }, await tlsOf())
    await waitFor('the refusal', () => a.transport.refusedLinks > 0)
    expect([a.ups, b.frames]).toEqual([[], []])
  })

  it('hold the other to the name under which it is dialled, unless told otherwise', async () => {
    const elsewhere = authority.issue({ names: 'DNS:elsewhere' })
    const strict = await tlsOf()
    const [a] = await dialled(strict, await tlsOf({ certificate: elsewhere }))
    await waitFor('refusals', () => failures(strict) >= 2)
    expect(a.ups).toEqual([])
    const [c] = await dialled(
      await tlsOf({ verifyHost: false }),
      await tlsOf({ certificate: elsewhere }),
    )
    await waitFor('the link', () => c.ups.length === 1)
  })

  it('that cannot be dialled at all are no failed handshakes', async () => {
    const own = await tlsOf()
    const [port = 0, nobody = 0] = await reservePorts(2)
    const a = await start('a', port, own)
    a.transport.setTargets([`127.0.0.1:${nobody}`])
    await waitFor('the warning', () => a.logged.some((line) => line.includes('cannot be reached')))
    expect(failures(own)).toBe(0)
  })
})

describe('a handshake that nobody answers', () => {
  it('is given up, and the dialling goes on', async () => {
    const [port = 0, mute = 0] = await reservePorts(2)
    let dials = 0
    const server = createServer((socket) => {
      dials += 1
      sockets.push(socket)
      socket.on('error', () => {}).resume()
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(mute, '127.0.0.1', resolve))
    const a = await start('a', port, { ...(await tlsOf()), handshakeTimeoutMs: 100 })
    a.transport.setTargets([`127.0.0.1:${mute}`])
    await waitFor('further dials', () => dials >= 3)
  })

  it('leaves the peer port when its time is over', async () => {
    const right = await tlsOf({ shared: true })
    const [port = 0] = await reservePorts(1)
    await start('b', port, { ...right, handshakeTimeoutMs: 100 })
    const half = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    sockets.push(...half)
    for (const socket of half) socket.on('error', () => {}).resume()
    half[0]?.write(Uint8Array.of(0x16, 3, 1))
    await waitFor('their end', () => half.every((socket) => socket.closed))
    expect(failures(right)).toBe(1)
  })
})

describe('a shared peer port', () => {
  it('takes links of all kinds while the ensemble changes over', async () => {
    const plain = await dialled({}, await tlsOf({ dial: false, shared: true }))
    const secure = await dialled(await tlsOf(), await tlsOf({ dial: false, shared: true }))
    for (const [a, b] of [plain, secure]) {
      await waitFor('the link', () => a.ups.length === 1)
      a.transport.send('id-b', numbered(1))
      await waitFor('a frame', () => b.frames.length === 1)
    }
  })
})

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ZookeeperCoordination } from '../../../agent/coordination/zookeeper.ts'
import { CertificateAuthority } from '../../support/certificates.ts'
import { waitFor } from '../../support/wait-for.ts'
import { FakeServer, TIMEOUT_MS } from './fake-zookeeper.ts'

const POD = 'q-0.q-hs.db.svc.cluster.local'

describe("the agent's session with TLS", () => {
  let authority: CertificateAuthority
  let other: CertificateAuthority
  let server: FakeServer | null = null
  let coordination: ZookeeperCoordination | null = null
  const told: object[] = []

  beforeEach(() => {
    authority = new CertificateAuthority()
    other = new CertificateAuthority('Another authority')
    told.length = 0
  })

  afterEach(async () => {
    await coordination?.close()
    server?.close()
    authority.remove()
    other.remove()
  })

  /** A server that takes clients with a certificate of the authority alone. */
  async function serving(names: string): Promise<number> {
    const { certificate, key } = authority.issue({ names })
    const ca = readFileSync(authority.certificate)
    const tls = { ca, cert: readFileSync(certificate), key: readFileSync(key) }
    server = await FakeServer.listen(1n, { ...tls, requestCert: true, rejectUnauthorized: true })
    return server.port
  }

  function connect(
    port: number,
    files: { ca: string; certificate: string; key: string },
    handshakeTimeoutMs = 1_000,
  ) {
    const text = (path: string) => readFileSync(path, 'utf8')
    const { ca, certificate, key } = files
    coordination = new ZookeeperCoordination({
      servers: () => [{ host: '127.0.0.1', port }],
      tls: {
        read: () => ({ ca: text(ca), cert: text(certificate), key: text(key) }),
        localName: POD,
      },
      sessionTimeoutMs: TIMEOUT_MS,
      dialTimeoutMs: 500,
      avoidMs: 100,
      frameBytesMax: 1_048_575,
      requestTimeoutMs: 1_000,
      handshakeTimeoutMs,
      checkEveryMs: 20,
      goodbyeMs: 100,
      nowMs: () => performance.now(),
      log: (message, fields) => told.push({ message, ...fields }),
    })
    return coordination
  }

  it('knows the local server, behind a loopback address, by the name of the pod', async () => {
    const port = await serving(`DNS:${POD}`)
    const client = connect(port, { ca: authority.certificate, ...authority.issue() })
    await waitFor('a session', () => client.status === 'held')
  })

  it('is none with a server of another name, which is told once', async () => {
    const port = await serving('DNS:elsewhere')
    // One attempt at a session for all of the test: the next one would tell it again.
    const files = { ca: authority.certificate, ...authority.issue() }
    const client = connect(port, files, 60_000)
    const reasons = () => told.filter((line) => JSON.stringify(line).includes('no connection'))
    await waitFor('the reason', () => reasons().length > 0)
    expect(reasons()[0]).toMatchObject({ reason: expect.stringContaining(POD) })
    // Several tries later: the first avoidance is long over.
    const until = performance.now() + 1_000
    await waitFor('more tries', () => performance.now() > until)
    expect(reasons()).toHaveLength(1)
    expect(client.status).toBe('none')
  })

  it('takes the files as they are at each connection', async () => {
    const port = await serving(`DNS:${POD}`)
    const wrong = other.issue()
    const files = { certificate: authority.file('mine.pem'), key: authority.file('mine.key') }
    writeFileSync(files.certificate, readFileSync(wrong.certificate))
    writeFileSync(files.key, readFileSync(wrong.key))
    const client = connect(port, { ca: authority.certificate, ...files })
    await waitFor('a refusal', () => told.length > 0)
    expect(client.status).toBe('none')
    const right = authority.issue()
    renameSync(right.certificate, files.certificate)
    renameSync(right.key, files.key)
    await waitFor('a session', () => client.status === 'held')
  })

  it('goes on when a file is missing for a moment', async () => {
    const port = await serving(`DNS:${POD}`)
    const { certificate, key } = authority.issue()
    const ca = authority.file('later.pem')
    const client = connect(port, { ca, certificate, key })
    await waitFor('the reason', () => JSON.stringify(told).includes('ENOENT'))
    writeFileSync(ca, readFileSync(authority.certificate))
    await waitFor('a session', () => client.status === 'held')
  })
})

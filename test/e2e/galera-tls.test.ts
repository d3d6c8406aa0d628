import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { type Connection, createConnection } from 'mysql2'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { passwords } from '../galera/member.ts'
import { GaleraPods, kindOf } from '../galera/pods.ts'
import { rootSession } from '../galera/writer.ts'
import { CertificateAuthority } from '../support/certificates.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { galeraTool, titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const tool = galeraTool()
const BOTH = [0, 1]
const FORMED_WITHIN_MS = 110_000

/** Two real members that speak TLS to clients and to each other, and copy by mariabackup, over TLS too. */
describe.skipIf(tool.found === null)(titleOf('Galera with TLS', tool), () => {
  const authority = new CertificateAuthority()
  const directory = mkdtempSync(join(tmpdir(), 'quorate-galera-tls-'))
  const tls = {
    cert: join(directory, 'tls.crt'),
    key: join(directory, 'tls.key'),
    ca: join(directory, 'ca.crt'),
  }
  let servers: ServerEnsemble
  let pods: GaleraPods

  function issue(): void {
    // Members copy from each other's address, which no certificate has.
    const names = 'DNS:*.galera-hs.default.svc.cluster.local'
    const { certificate, key } = authority.issue({ subject: '/CN=galera', names })
    const files = [
      [certificate, tls.cert],
      [key, tls.key],
      [authority.certificate, tls.ca],
    ] as const
    for (const [from, to] of files) {
      copyFileSync(from, to)
      // The server may run as another user than the tests.
      chmodSync(to, 0o644)
    }
  }

  /** Logs in as a client from elsewhere, with TLS or without; resolves with the number of the certificate. */
  async function connect(index: number, secure: boolean): Promise<string> {
    const { clients: port } = pods.member(index).ports
    const login = { host: '127.0.0.1', port, user: 'root', password: passwords.root }
    const ssl = secure ? { ssl: { ca: readFileSync(tls.ca, 'utf8') } } : {}
    const connection = createConnection({ ...login, ...ssl })
    try {
      await new Promise<void>((resolve, reject) => {
        connection.connect((error) => (error === null ? resolve() : reject(error)))
      })
      return serialOf(connection)
    } finally {
      connection.destroy()
    }
  }

  beforeAll(async () => {
    chmodSync(directory, 0o755)
    issue()
    servers = await quorateEnsemble({ servers: 1 })
    await servers.start()
    const hosts = servers.clientPorts.map((port) => `127.0.0.1:${port}`)
    pods = await GaleraPods.at({ hosts, count: 2, replicas: 2, method: 'mariabackup', tls })
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(pods.logs())
  })
  afterAll(async () => {
    await pods.close()
    await servers.stop()
    authority.remove()
    rmSync(directory, { recursive: true })
  })

  it('forms a cluster of members that trust one authority', async () => {
    await pods.startAll(BOTH)
    await pods.ready(BOTH, FORMED_WITHIN_MS)
    expect(pods.permits().map(kindOf)).toEqual(['found', 'join'])
    const session = rootSession(pods.member(1))
    const [[, options] = []] = await session.query(
      "SHOW GLOBAL VARIABLES LIKE 'wsrep_provider_options'",
    )
    session.close()
    expect(options).toMatch(/socket\.ssl = YES/)
  })

  it('takes no client without TLS', async () => {
    await expect(connect(0, false)).rejects.toThrow(/insecure transport|Access denied/)
    expect(await connect(0, true)).not.toBe('')
  })

  it('shows a renewed certificate without a restart', async () => {
    const before = await connect(1, true)
    const { pid } = pods.member(1).process
    issue()
    await waitFor(
      'clients are shown another one',
      async () => (await connect(1, true)) !== before,
      FORMED_WITHIN_MS,
    )
    expect(pods.member(1).process.pid).toBe(pid)
    await pods.ready(BOTH, FORMED_WITHIN_MS)
  })
})

function serialOf(connection: Connection): string {
  const stream: unknown = Reflect.get(connection, 'stream')
  if (!(stream instanceof TLSSocket)) throw new Error('it is no connection with TLS')
  return stream.getPeerCertificate().serialNumber
}

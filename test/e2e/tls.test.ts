import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { secureRequest } from '../../server/tls/secure-request.ts'
import { CertificateAuthority, type IssuedCertificate } from '../support/certificates.ts'
import { reservePorts } from '../support/ports.ts'
import { fourLetterWord, type ServerEnsemble } from '../support/processes.ts'
import { createEnsemble } from '../support/server-ensemble.ts'
import { waitFor } from '../support/wait-for.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const bundle = join(repository, 'dist', 'quorate.js')
const authority = new CertificateAuthority()
const stranger = new CertificateAuthority()
let ensemble: ServerEnsemble
let securePorts: readonly number[] = []

/** Each server has a certificate of its own, in a file of its own. */
const storeOf = (server: number) => authority.file(`server-${server}.pem`)

beforeAll(async () => {
  let server = 0
  securePorts = await reservePorts(3)
  ensemble = await createEnsemble(
    {
      name: 'quorate',
      http: true,
      cwd: repository,
      settings: (httpPort) => {
        const securePort = String(securePorts[server])
        const store = storeOf(server++)
        copyFileSync(authority.issue().both, store)
        return {
          'quorate.httpPort': String(httpPort),
          secureClientPort: securePort,
          'ssl.keyStore.location': store,
          'ssl.trustStore.location': authority.certificate,
          sslQuorum: 'true',
          'ssl.quorum.keyStore.location': store,
          'ssl.quorum.trustStore.location': authority.certificate,
          'admin.forceHttps': 'true',
          'quorate.httpAuth': 'certificate',
        }
      },
      command: ({ configuration }) => ({
        command: process.execPath,
        args: [bundle, 'serve', configuration],
      }),
    },
    { servers: 3 },
  )
  await ensemble.start()
})
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(ensemble.logs())
})
afterAll(async () => {
  await ensemble.stop()
  authority.remove()
  stranger.remove()
})

const port = (server: number) => ensemble.clientPorts[server] ?? 0

/** What a server answers over HTTPS to who shows a certificate, or none. */
async function ask(
  server: number,
  path: string,
  shown: IssuedCertificate | null = null,
  method = 'GET',
) {
  const url = new URL(path, `https://127.0.0.1:${ensemble.httpPorts[server]}`)
  const [ca, cert, key] = [authority.certificate, shown?.certificate, shown?.key].map((file) =>
    file === undefined ? undefined : readFileSync(file),
  )
  const tls = { ca, ...(cert === undefined || key === undefined ? {} : { cert, key }) }
  return secureRequest(url, { method, headers: {}, timeoutMs: 10_000, tls })
}

/** Of the links between the servers. */
async function series(server: number, name: string): Promise<number> {
  const line = (await ask(server, '/metrics')).text
    .split('\n')
    .find((text) => text.startsWith(`${name}{for="peer"}`))
  return Number(line?.split(' ').at(-1))
}

const handshakeFailures = 'quorate_tls_handshake_failures_total'

describe('a server with a port for TLS', () => {
  it('serves who shows a certificate there', async () => {
    const { certificate, key } = authority.issue({ subject: '/CN=client' })
    const [ca, cert] = [authority.certificate, certificate].map((file) => readFileSync(file))
    const place = [`localhost:${securePorts[1]}`]
    const client = await ZkClient.connect(place, 10_000, { ca, cert, key: readFileSync(key) })
    const own = [{ scheme: 'auth', id: '', permissions: 31 }]
    await client.create('/own', null, own, 'persistent', false, 0)
    expect(await client.acl('/own')).toEqual([{ scheme: 'x509', id: 'CN=client', permissions: 31 }])
    await client.close()
    await expect(ZkClient.connect(place, 10_000, { ca })).rejects.toThrow('no session')
  })
})

describe('HTTP over TLS alone', () => {
  it('shows every server to each of them, and lets in who has a certificate', async () => {
    await expect(fetch(`http://127.0.0.1:${ensemble.httpPorts[0]}/livez`)).rejects.toThrow()
    await waitFor('all servers', async () => {
      const { servers } = JSON.parse((await ask(0, '/v1/ensemble/servers')).text)
      return servers.every(({ reachable }: { reachable: boolean }) => reachable)
    })
    const taken = async (shown: IssuedCertificate | null) =>
      (await ask(0, '/v1/snapshot', shown, 'POST')).status
    expect(await taken(null)).toBe(401)
    expect(await taken(authority.issue({ subject: '/CN=admin' }))).toBe(200)
    // A server's log is written behind its answers.
    await waitFor('the line of the audit', () =>
      /"user":"127.0.0.1,CN=admin".*"operation":"takeSnapshot"/.test(ensemble.logs()),
    )
  })
})

describe('an ensemble with TLS between its servers', () => {
  it('forms, and tells how long its certificates last', async () => {
    const seconds = await series(0, 'quorate_tls_certificate_expires_in_seconds')
    expect(Math.round(seconds / 86_400)).toBe(30)
    expect(await fourLetterWord(port(0), 'srvr')).toMatch(/Mode: (leader|follower)/)
  })

  it('keeps out a server with a wrong certificate until it gets a right one', async () => {
    await ensemble.terminate(2)
    copyFileSync(stranger.issue().both, storeOf(2))
    const before = await series(0, handshakeFailures)
    const back = ensemble.restart(2)
    await waitFor('refusals', async () => (await series(0, handshakeFailures)) > before + 2)
    expect(await fourLetterWord(port(2), 'srvr')).toContain('not currently serving')
    expect(await fourLetterWord(port(0), 'srvr')).toMatch(/Mode: (leader|follower)/)
    copyFileSync(authority.issue().both, storeOf(2))
    await back
    expect(await series(2, 'quorate_tls_reloads_total')).toBe(1)
  })
})

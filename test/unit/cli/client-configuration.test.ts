import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { readClientConfiguration } from '../../../server/cli/client-configuration.ts'
import { ZkClient } from '../../../server/cli/zk-client.ts'
import { Credentials } from '../../../server/tls/credentials.ts'
import { CertificateAuthority, tlsFiles } from '../../support/certificates.ts'
import { reservePorts } from '../../support/ports.ts'
import { closeListeners, listen } from '../listener/loopback.ts'

const authority = new CertificateAuthority()
afterAll(() => authority.remove())
afterEach(closeListeners)

function configuration(...lines: readonly string[]) {
  const file = authority.file('client.properties')
  writeFileSync(file, lines.join('\n'))
  return readClientConfiguration(file)
}

async function securePort(names: string): Promise<number> {
  const credentials = await Credentials.open({
    name: 'client',
    files: tlsFiles({
      certificateFile: authority.issue({ names }).both,
      caFile: authority.certificate,
    }),
    policy: { versionMin: 'TLSv1.2', ciphers: '' },
    clientAuth: 'need',
    pollMs: 60_000,
    log: () => {},
  })
  const [port = 0] = await reservePorts(1)
  const tls = { credentials, host: '127.0.0.1', port, shared: false, superSubject: '' }
  await (await listen({ tls })).listener.listenSecurely()
  return port
}

const secure = () => [
  'zookeeper.client.secure=true',
  'zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty',
  `zookeeper.ssl.trustStore.location=${authority.certificate}`,
]

describe("the command line's TLS", () => {
  it('is off unless the file asks for it', async () => {
    expect(await configuration('zookeeper.client.secure=false')).toBeNull()
    await expect(readClientConfiguration('/none/there')).rejects.toThrow('ENOENT')
  })

  it("comes from the properties of ZooKeeper's client", async () => {
    const port = await securePort('DNS:localhost')
    const both = authority.issue({ subject: '/CN=cli' }).both
    const tls = await configuration(...secure(), `zookeeper.ssl.keyStore.location=${both}`)
    const zk = await ZkClient.connect([`localhost:${port}`], 5_000, tls)
    await zk.stat('/', false)
    await zk.close()
    // The server wants a certificate.
    await expect(
      ZkClient.connect([`localhost:${port}`], 5_000, await configuration(...secure())),
    ).rejects.toThrow('no session')
  })

  it('holds the server to its name, unless told otherwise', async () => {
    const port = await securePort('DNS:elsewhere')
    const store = `zookeeper.ssl.keyStore.location=${authority.issue().both}`
    const strict = await configuration(...secure(), store)
    await expect(ZkClient.connect([`localhost:${port}`], 5_000, strict)).rejects.toThrow('altnames')
    const lax = await configuration(...secure(), store, 'zookeeper.ssl.hostnameVerification=false')
    await (await ZkClient.connect([`localhost:${port}`], 5_000, lax)).close()
  })
})

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { OPEN_ACL } from '../../server/core/tree/acl.ts'
import { CertificateAuthority, type IssuedCertificate } from '../support/certificates.ts'
import { compile, type JavaTool, javaTool, SMALL_JVM } from '../support/java.ts'
import { type JavaStore, JavaStores } from '../support/java-stores.ts'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { CaseProgram } from './clients/case-program.ts'
import { logback } from './clients/zk-cli.ts'
import { ensembleFor, type ServerName } from './servers.ts'

const tool = zookeeperTool()
const clients = javaTool('java-clients')
const authority = new CertificateAuthority()
const stranger = new CertificateAuthority()
const javaStores = new JavaStores()
const client = authority.issue({
  subject: '/C=DE/O=Acme, Inc./OU=a\\+b=c #1/emailAddress=me@example.org/CN= client ',
})
const NAME =
  'CN=\\ client\\ ,1.2.840.113549.1.9.1=#160e6d65406578616d706c652e6f7267,OU=a\\+b\\=c \\#1,O=Acme\\, Inc.,C=DE'
afterAll(() => {
  authority.remove()
  stranger.remove()
  javaStores.remove()
})

/** The same file for both: one port for all clients, TLS between the servers. */
function settings(): Record<string, string> {
  const stores = (keyStore: string, prefix: string) => ({
    [`${prefix}keyStore.location`]: keyStore,
    [`${prefix}keyStore.type`]: 'PEM',
    [`${prefix}trustStore.location`]: authority.certificate,
    [`${prefix}trustStore.type`]: 'PEM',
  })
  return {
    serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
    'client.portUnification': 'true',
    'authProvider.x509': 'org.apache.zookeeper.server.auth.X509AuthenticationProvider',
    ...stores(authority.issue().both, 'ssl.'),
    sslQuorum: 'true',
    ...stores(authority.issue().both, 'ssl.quorum.'),
  }
}

function as({ certificate, key }: IssuedCertificate): ConnectionOptions {
  const [ca, cert] = [authority.certificate, certificate].map((file) => readFileSync(file))
  return { ca, cert, key: readFileSync(key) } as ConnectionOptions
}

describe.each<ServerName>(['quorate', 'zookeeper'])('TLS on %s', (name) => {
  describe.skipIf(name === 'zookeeper' && tool.found === null)(titleOf('', tool), () => {
    const target = ensembleFor(name, { servers: 3, settings: settings() })
    const port = (n: number) => target.ensemble().clientPorts[n] ?? 0
    const dial = (n: number, tls: ConnectionOptions | null) =>
      ZkClient.connect([`127.0.0.1:${port(n)}`], 10_000, tls)

    it('gives a client with a certificate its name, and plain ones theirs', async () => {
      const owner = await dial(0, as(client))
      await owner.create(
        '/own',
        null,
        [{ scheme: 'auth', id: '', permissions: 31 }],
        'persistent',
        false,
        0,
      )
      expect(await owner.acl('/own')).toEqual([{ scheme: 'x509', id: NAME, permissions: 31 }])
      const plain = await dial(1, null)
      await plain.sync('/own')
      await expect(plain.set('/own', null, -1)).rejects.toThrow('noAuth')
      const other = await dial(2, as(authority.issue({ subject: '/CN=client' })))
      await other.sync('/own')
      await expect(other.set('/own', null, -1)).rejects.toThrow('noAuth')
      await owner.set('/own', null, -1)
      for (const each of [owner, plain, other]) await each.close()
    })

    it('keeps out certificates of others, and clients without one', async () => {
      await expect(dial(0, as(stranger.issue()))).rejects.toThrow('no session')
      const ca = readFileSync(authority.certificate)
      await expect(dial(0, { ca })).rejects.toThrow('no session')
    })

    it.skipIf(tool.found === null)(
      "serves ZooKeeper's own Java client",
      async () => {
        const first = await dial(0, null)
        await first.create('/java', Buffer.from('here'), OPEN_ACL, 'persistent', false, 0)
        await first.close()
        expect(zkCli(port(0), client.both, 'get', '/java')).toContain('here')
        expect(zkCli(port(0), client.both, 'whoami')).toContain(`x509: ${NAME}`)
        const refused = zkCli(port(0), stranger.issue().both, 'get', '/java')
        expect(refused).not.toContain('here')
      },
      180_000,
    )

    describe.skipIf(clients.found === null)(titleOf("ZooKeeper's Java client", clients), () => {
      const asked = async (keyStore: Store, trustStore: Store, line: string) => {
        const { clientPorts } = target.ensemble()
        const hosts = clientPorts.map((each) => `127.0.0.1:${each}`).join(',')
        const program = secureProgram(hosts, keyStore, trustStore)
        try {
          await program.run(line, {
            killed: (at) => target.ensemble().kill(clientPorts.indexOf(Number(at))),
          })
        } finally {
          program.stop()
          for (const [server, pid] of target.ensemble().pids().entries()) {
            if (pid === undefined) await target.ensemble().restart(server)
          }
        }
      }
      const pkcs12 = (issued: IssuedCertificate): Store => ({
        type: 'PKCS12',
        file: authority.pkcs12(issued, 'changeit'),
        password: 'changeit',
      })
      const trust = (type: 'JKS' | 'PKCS12'): Store => ({
        type,
        ...javaStores.trust(type, authority.certificate),
      })

      it('owns what it makes, with stores of PKCS12', async () => {
        await asked(pkcs12(client), trust('PKCS12'), `owns /java-pkcs12 ${NAME}`)
      })

      it('owns what it makes, with stores of JKS', async () => {
        const store = pkcs12(client)
        const key: Store = { type: 'JKS', ...javaStores.imported('JKS', store) }
        await asked(key, trust('JKS'), `owns /java-jks ${NAME}`)
      })

      it('moves its session, with its ephemeral and its watch, to another server', async () => {
        await asked(pkcs12(client), trust('PKCS12'), 'outlives /java-outlives')
      })

      it("is kept out with a stranger's certificate, and keeps out strange servers", async () => {
        const strange = stranger.issue()
        const key: Store = {
          type: 'PKCS12',
          file: stranger.pkcs12(strange, 'changeit'),
          password: 'changeit',
        }
        await asked(key, trust('PKCS12'), 'refused - -')
        const others: Store = { type: 'JKS', ...javaStores.trust('JKS', stranger.certificate) }
        await asked(pkcs12(client), others, 'refused - -')
      })
    })
  })
})

interface Store extends JavaStore {
  readonly type: 'JKS' | 'PKCS12'
}

let secureClasses: string | undefined

/** A program with ZooKeeper's Java client, whose stores these are. */
function secureProgram(hosts: string, keyStore: Store, trustStore: Store): CaseProgram {
  if (clients.found === null) throw new Error(clients.reason)
  const found: JavaTool = clients.found
  secureClasses ??= compile(found, 'conformance/java/tls')
  const properties = {
    clientCnxnSocket: 'org.apache.zookeeper.ClientCnxnSocketNetty',
    'client.secure': 'true',
    'ssl.keyStore.location': keyStore.file,
    'ssl.keyStore.password': keyStore.password,
    'ssl.keyStore.type': keyStore.type,
    'ssl.trustStore.location': trustStore.file,
    'ssl.trustStore.password': trustStore.password,
    'ssl.trustStore.type': trustStore.type,
  }
  return new CaseProgram(found.java, [
    ...SMALL_JVM,
    `-Dlogback.configurationFile=${logback}`,
    ...Object.entries(properties).map(([key, value]) => `-Dzookeeper.${key}=${value}`),
    ...['-cp', secureClasses, 'SecureClient', hosts],
  ])
}

/** What zkCli prints for one command, over TLS. */
function zkCli(port: number, keyStore: string, ...command: readonly string[]): string {
  if (tool.found === null) throw new Error(tool.reason)
  const properties = {
    clientCnxnSocket: 'org.apache.zookeeper.ClientCnxnSocketNetty',
    'client.secure': 'true',
    'ssl.keyStore.location': keyStore,
    'ssl.keyStore.type': 'PEM',
    'ssl.trustStore.location': authority.certificate,
    'ssl.trustStore.type': 'PEM',
  }
  const { java, classPath } = tool.found
  const { stdout, stderr } = spawnSync(
    java,
    [
      ...Object.entries(properties).map(([key, value]) => `-Dzookeeper.${key}=${value}`),
      ...['-cp', classPath, 'org.apache.zookeeper.ZooKeeperMain', '-waitforconnection'],
      ...['-timeout', '20000', '-server', `127.0.0.1:${port}`, ...command],
    ],
    { encoding: 'utf8', timeout: 60_000 },
  )
  return stdout + stderr
}

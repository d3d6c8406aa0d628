import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { CertificateAuthority } from '../support/certificates.ts'
import { kazooTool, titleOf, zookeeperTool } from '../support/toolchain.ts'
import { run } from './clients/command.ts'
import { logback } from './clients/zk-cli.ts'
import { ensembleFor, type ServerName } from './servers.ts'
import {
  digestSettings,
  digestSuite,
  ensembleSchemeSuite,
  skippingSuite,
} from './suite/auth-settings.ts'
import {
  enforcingSuite,
  forgivingSuite,
  SASL_USERS,
  saslSuite,
  saslUsersFile,
  withoutSaslSuite,
} from './suite/sasl.ts'
import type { Target } from './suite/target.ts'

const tool = zookeeperTool()
const kazoo = kazooTool()
const authority = new CertificateAuthority()
const directory = mkdtempSync(join(tmpdir(), 'quorate-sasl-'))
afterAll(() => {
  authority.remove()
  rmSync(directory, { recursive: true })
})

const PROVIDERS = 'org.apache.zookeeper.server.auth.'
const usersFile = written('server.conf', saslUsersFile)
const sasl = {
  'java.security.auth.login.config': usersFile,
  'authProvider.1': `${PROVIDERS}SASLAuthenticationProvider`,
  superUser: 'root',
}
const tls = {
  serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
  'client.portUnification': 'true',
  'authProvider.x509': `${PROVIDERS}X509AuthenticationProvider`,
  'ssl.keyStore.location': authority.issue().both,
  'ssl.keyStore.type': 'PEM',
  'ssl.trustStore.location': authority.certificate,
  'ssl.trustStore.type': 'PEM',
}

function written(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

describe.each<ServerName>(['quorate', 'zookeeper'])('Authentication on %s', (name) => {
  describe.skipIf(name === 'zookeeper' && tool.found === null)(titleOf('', tool), () => {
    const alone = (settings: Record<string, string>) => ensembleFor(name, { servers: 1, settings })

    describe('sasl', () => {
      const target = ensembleFor(name, { servers: 3, settings: { ...sasl, ...tls } })
      saslSuite(target)
      clientSuite(target)
    })

    describe('sasl that is demanded, whatever clients are allowed that fail', () => {
      const demands = { sessionRequireClientSASLAuth: 'true', allowSaslFailedClients: 'true' }
      enforcingSuite(alone({ ...sasl, ...demands }), 'sasl')
    })

    describe('digest demanded', () => {
      const demands = { 'enforce.auth.enabled': 'true', 'enforce.auth.schemes': 'digest' }
      enforcingSuite(alone({ ...sasl, ...demands }), 'digest')
    })

    describe('digests by SHA3-256', () => {
      const target = alone(digestSettings('SHA3-256', 'sha3-256'))
      digestSuite(target, 'sha3-256')
      withoutSaslSuite(target)
    })

    describe('skipACL', () => {
      skippingSuite(alone({ skipACL: 'yes' }))
    })

    describe('the scheme ensemble, without digest; clients that fail at sasl and are allowed', () => {
      const settings = {
        ...sasl,
        allowSaslFailedClients: 'true',
        'DigestAuthenticationProvider.enabled': 'false',
        'authProvider.ensemble': `${PROVIDERS}EnsembleAuthenticationProvider`,
        ensembleAuthName: 'one, two',
      }
      const target = alone(settings)
      ensembleSchemeSuite(target)
      forgivingSuite(target)
    })
  })
})

/** Clients that nobody here wrote. */
function clientSuite(target: Target): void {
  const hosts = () => target.ensemble().clientPorts.map((port) => `127.0.0.1:${port}`)

  describe.skipIf(kazoo.found === null)(titleOf('kazoo', kazoo), () => {
    it('authenticates, owns a znode, and is refused with a wrong password', async () => {
      const script = fileURLToPath(new URL('clients/sasl_users.py', import.meta.url))
      const args = [script, hosts().join(','), '/kazoo-sasl', 'bob', SASL_USERS.bob, 'guess']
      const ended = await run(kazoo.found?.python ?? '', args)
      expect(ended).toMatchObject({ code: 0, stderr: '' })
    })
  })

  describe.skipIf(tool.found === null)(titleOf('zkCli', tool), () => {
    it.each([
      ['without TLS', {}],
      [
        'over TLS',
        {
          clientCnxnSocket: 'org.apache.zookeeper.ClientCnxnSocketNetty',
          'client.secure': 'true',
          'ssl.trustStore.location': authority.certificate,
          'ssl.trustStore.type': 'PEM',
          'ssl.keyStore.location': authority.issue({ subject: '/CN=client' }).both,
          'ssl.keyStore.type': 'PEM',
        },
      ],
    ])('owns a znode %s, and is told of a wrong password', async (way, properties) => {
      const path = `/java-${way.replaceAll(' ', '-')}`
      const commands = `create ${path} mine sasl:bob:cdrwa\nget ${path}\nwhoami\nquit\n`
      const bob = await zkCli(hosts()[0] ?? '', SASL_USERS.bob, properties, commands)
      expect(bob).toContain(`Created ${path}`)
      expect(bob).toMatch(/^mine$/m)
      expect(bob).toMatch(/^sasl: bob$/m)
      const guess = await zkCli(hosts()[1] ?? '', 'guess', properties, `get ${path}\nquit\n`)
      expect(guess).toMatch(/AuthFailed|AUTH_FAILED/)
      expect(guess).not.toMatch(/^mine$/m)
    })
  })
}

/** What zkCli of the user bob prints. */
async function zkCli(
  host: string,
  password: string,
  properties: Readonly<Record<string, string>>,
  input: string,
): Promise<string> {
  if (tool.found === null) throw new Error(tool.reason)
  const { java, classPath } = tool.found
  const module = `${PROVIDERS}DigestLoginModule`
  const options = `username="bob" password="${password}"`
  const login = written(`client-${password}.conf`, `Client { ${module} required ${options}; };`)
  const own = Object.entries({ ...properties, 'fips-mode': 'false' })
  const { stdout, stderr } = await run(
    java,
    [
      ...['-XX:TieredStopAtLevel=1', `-Dlogback.configurationFile=${logback}`],
      `-Djava.security.auth.login.config=${login}`,
      ...own.map(([key, value]) => `-Dzookeeper.${key}=${value}`),
      ...['-cp', classPath, 'org.apache.zookeeper.ZooKeeperMain', '-waitforconnection'],
      ...['-timeout', '10000', '-server', host],
    ],
    { input, withinMs: 60_000 },
  )
  return stdout + stderr
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Config, loadConfig, redacted } from '../../../server/config/config.ts'

const directory = mkdtempSync(join(tmpdir(), 'quorate-authentication-'))
afterAll(() => rmSync(directory, { recursive: true }))

const MODULE = 'org.apache.zookeeper.server.auth.DigestLoginModule'
const PROVIDERS = 'org.apache.zookeeper.server.auth.'
let files = 0

function written(text: string, name = 'jaas.conf'): string {
  files += 1
  const path = join(directory, `${files}-${name}`)
  writeFileSync(path, text)
  return path
}

const users = written(`Client { ${MODULE} required username="bob" password="secret"; };
Server { ${MODULE} required user_bob="secret" user_super="inFile"; };
Kerberos { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true; };
Nobody { ${MODULE} required; };`)

function fromFlags(flags: Record<string, unknown>): Config {
  return loadConfig({ environment: {}, flags: { bootstrap: true, ...flags } })
}

function fromZooCfg(...lines: string[]): Config {
  const text = ['dataDir=/var/lib/zk', 'clientPort=2181', ...lines].join('\n')
  return loadConfig({ file: written(text, 'zoo.cfg'), environment: {}, flags: {} })
}

describe('without a setting', () => {
  it('there is the digest scheme of every client, and no more', () => {
    const { authenticator } = fromFlags({})
    expect(authenticator).toMatchObject({
      schemes: new Set(['digest']),
      digestAlgorithm: 'sha1',
      superDigest: null,
      saslUsers: null,
      enforcedSchemes: new Set(),
      skipAcl: false,
    })
  })
})

describe('saslUsersFile', () => {
  it('has the users, and switches the scheme on', () => {
    const { authenticator } = fromFlags({ saslUsersFile: users, saslSuperUsers: 'bob,ann' })
    expect(authenticator.schemes).toEqual(new Set(['digest', 'sasl']))
    expect(authenticator.saslUsers).toEqual(
      new Map([
        ['bob', 'secret'],
        ['super', 'inFile'],
      ]),
    )
    expect(authenticator.saslSuperUsers).toEqual(new Set(['bob', 'ann']))
  })

  it('may leave the password of super to a setting, which is never printed', () => {
    const config = fromFlags({ saslUsersFile: users, saslSuperPassword: 'inSetting' })
    expect(config.authenticator.saslUsers?.get('super')).toBe('inSetting')
    expect(JSON.stringify(redacted(config.settings))).not.toContain('inSetting')
  })

  it('may be about other programs alone, as that of which kazoo starts its servers', () => {
    const saslUsersFile = written('')
    const { authenticator, warnings } = fromFlags({ saslUsersFile })
    expect(authenticator.saslUsers).toBeNull()
    expect(warnings).toContainEqual(
      expect.stringContaining(`${saslUsersFile} has no section Server`),
    )
  })

  it.each([
    [{ saslUsersFile: join(directory, 'none') }, /^saslUsersFile: ENOENT/],
    [{ saslUsersFile: written('Server {') }, /jaas.conf, line 1: /],
    [{ saslUsersFile: users, saslSection: 'Other' }, /has no section Other$/],
    [{ saslUsersFile: users, saslSection: 'Kerberos' }, /is for GSSAPI \(Kerberos\)/],
    [{ saslUsersFile: users, saslSection: 'Nobody' }, /has no user/],
  ])('is refused where it is not of use: %j', (flags, message) => {
    expect(() => fromFlags(flags)).toThrow(message)
  })
})

describe('digestAlgorithm', () => {
  it.each([
    ['SHA', 'sha1'],
    ['sha-1', 'sha1'],
    ['SHA256', 'sha256'],
    ['SHA-512', 'sha512'],
    ['SHA-512/256', 'sha512-256'],
    ['SHA512/224', 'sha512-224'],
    ['sha3-384', 'sha3-384'],
    ['MD5', 'md5'],
  ])('%s is %s', (digestAlgorithm, ours) => {
    expect(fromFlags({ digestAlgorithm }).authenticator.digestAlgorithm).toBe(ours)
  })

  it.each(['MD2', 'SHA3', 'SHA-999', 'sha1-base64', 'whirlpool'])(
    'refuses %s',
    (digestAlgorithm) => {
      expect(() => fromFlags({ digestAlgorithm })).toThrow(/^digestAlgorithm: /)
    },
  )
})

describe('enforcedAuthSchemes', () => {
  it('may be what a client can have', () => {
    const flags = { saslUsersFile: users, enforcedAuthSchemes: 'sasl, ip,digest' }
    expect(fromFlags(flags).authenticator.enforcedSchemes).toEqual(
      new Set(['sasl', 'ip', 'digest']),
    )
  })

  it.each([
    [{ enforcedAuthSchemes: 'sasl' }, 'sasl needs saslUsersFile'],
    [{ enforcedAuthSchemes: 'sasl', authSchemes: 'sasl' }, 'sasl needs saslUsersFile'],
    [{ enforcedAuthSchemes: 'x509' }, '"x509" is not available'],
    [{ enforcedAuthSchemes: 'ensemble', authSchemes: 'ensemble' }, '"ensemble" is not available'],
    [{ enforcedAuthSchemes: 'digest', authSchemes: 'x509' }, '"digest" is not available'],
  ])('must be something that a client can have: %j', (flags, message) => {
    expect(() => fromFlags(flags)).toThrow(message)
  })
})

describe('a zoo.cfg', () => {
  it('has all of it under the keys of ZooKeeper', () => {
    const { authenticator, warnings } = fromZooCfg(
      'DigestAuthenticationProvider.superDigest=super:x',
      'DigestAuthenticationProvider.digestAlg=SHA3-256',
      `java.security.auth.login.config=${users}`,
      'sasl.serverconfig=Server',
      'superUser=bob',
      'superUser.1=ann',
      'SASLAuthenticationProvider.superPassword=other',
      'allowSaslFailedClients=TRUE',
      'enforce.auth.enabled=true',
      'enforce.auth.schemes=sasl, digest',
      'ensembleAuthName=one, two',
      'skipACL=yes',
      'fips-mode=false',
      `authProvider.1=${PROVIDERS}SASLAuthenticationProvider`,
      `authProvider.x=${PROVIDERS}X509AuthenticationProvider`,
      `authProvider.e=${PROVIDERS}EnsembleAuthenticationProvider`,
      `authProvider.i=${PROVIDERS}IPAuthenticationProvider`,
    )
    expect(authenticator).toEqual({
      schemes: new Set(['digest', 'sasl', 'x509', 'ensemble']),
      digestAlgorithm: 'sha3-256',
      superDigest: 'super:x',
      saslUsers: new Map([
        ['bob', 'secret'],
        ['super', 'other'],
      ]),
      saslSuperUsers: new Set(['bob', 'ann']),
      allowSaslFailedClients: true,
      enforcedSchemes: new Set(['sasl', 'digest']),
      ensembleNames: new Set(['one', 'two']),
      skipAcl: true,
    })
    expect(warnings.filter((warning) => warning.includes('without a meaning'))).toEqual([])
    expect(warnings.join()).toContain('skipAcl')
  })

  it('demands sasl alone with sessionRequireClientSASLAuth', () => {
    const { authenticator } = fromZooCfg(
      `java.security.auth.login.config=${users}`,
      'sessionRequireClientSASLAuth=true',
      'enforce.auth.schemes=digest',
    )
    expect(authenticator.enforcedSchemes).toEqual(new Set(['sasl']))
  })

  it('demands nothing that is not enabled, and something where it is', () => {
    const { authenticator } = fromZooCfg('enforce.auth.schemes=digest')
    expect(authenticator.enforcedSchemes).toEqual(new Set())
    expect(() => fromZooCfg('enforce.auth.enabled=true')).toThrow(
      'enforcedAuthSchemes: "" is not available',
    )
  })

  it('may switch digest off, and on again', () => {
    const off = 'DigestAuthenticationProvider.enabled=false'
    const again = `authProvider.d=${PROVIDERS}DigestAuthenticationProvider`
    expect(fromZooCfg(off).authenticator.schemes).toEqual(new Set())
    expect(fromZooCfg(off, again).authenticator.schemes).toEqual(new Set(['digest']))
  })

  it('skips ACLs for yes alone', () => {
    expect(fromZooCfg('skipACL=true').authenticator.skipAcl).toBe(false)
  })

  it('names the providers that are not there in its warning', () => {
    const { authenticator, warnings } = fromZooCfg(
      `authProvider.key=${PROVIDERS}KeyAuthenticationProvider`,
      `authProvider.groups=${PROVIDERS}X509ZNodeGroupAclProvider`,
      'letAnySaslUserDoX=somebody',
      'authProvider.own=org.example.Provider',
    )
    expect(authenticator.schemes).toEqual(new Set(['digest']))
    expect(warnings.join()).toContain(
      'authProvider.key, authProvider.groups, letAnySaslUserDoX, authProvider.own',
    )
  })
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCiphers } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig, redacted } from '../../../server/config/config.ts'
import { tlsValue } from '../../../server/config/zoo-cfg-tls.ts'
import { CodedError } from '../../../server/errors.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-tls-cfg-'))
  mkdirSync(join(directory, 'data'))
  writeFileSync(join(directory, 'data', 'myid'), '1')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function load(...lines: readonly string[]) {
  const file = join(directory, 'zoo.cfg')
  writeFileSync(file, [`dataDir=${join(directory, 'data')}`, ...lines].join('\n'))
  return loadConfig({ file, environment: {}, flags: {} })
}

function refusal(...lines: readonly string[]): string {
  try {
    load(...lines)
  } catch (error) {
    if (error instanceof CodedError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

const CLIENT_STORES = [
  'ssl.keyStore.location=/etc/zk/server.pem',
  'ssl.keyStore.type=PEM',
  'ssl.trustStore.location=/etc/zk/ca.pem',
  'ssl.trustStore.type=PEM',
]

describe('TLS in a zoo.cfg', () => {
  it("is read from ZooKeeper's keys, and nothing of it is left without a meaning", () => {
    const config = load(
      'secureClientPort=2281',
      'secureClientPortAddress=127.0.0.1',
      'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
      ...CLIENT_STORES,
      'ssl.keyStore.password=first',
      'ssl.clientAuth=WANT',
      'ssl.enabledProtocols=TLSv1.3',
      'ssl.ciphersuites=TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      'X509AuthenticationProvider.superUser=CN=root,O=x',
      'sslQuorum=true',
      'ssl.quorum.keyStore.location=/etc/zk/peer.pem',
      'ssl.quorum.keyStore.password=second',
      'ssl.quorum.trustStore.location=/etc/zk/peer-ca.pem',
      'ssl.quorum.hostnameVerification=false',
      'server.1=localhost:2888:3888',
    )
    expect(config.clientTls).toEqual({
      files: {
        certificateFile: '/etc/zk/server.pem',
        keyFile: '',
        caFile: '/etc/zk/ca.pem',
        keyPassword: 'first',
      },
      policy: {
        versionMin: 'TLSv1.3',
        ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
      },
      clientAuth: 'want',
    })
    expect(config.peerTls).toEqual({
      files: {
        certificateFile: '/etc/zk/peer.pem',
        keyFile: '',
        caFile: '/etc/zk/peer-ca.pem',
        keyPassword: 'second',
      },
      policy: { versionMin: 'TLSv1.2', ciphers: '' },
      clientAuth: 'need',
    })
    expect(config.settings).toMatchObject({
      secureClientPort: 2281,
      secureClientHost: '127.0.0.1',
      superSubject: 'CN=root,O=x',
      peerTls: true,
      peerTlsVerifyHost: false,
    })
    // Certificates keep strangers out where no secret does.
    expect(config.warnings).toEqual([])
    expect(Object.values(redacted(config.settings))).not.toContain('first')
    expect(Object.values(redacted(config.settings))).not.toContain('second')
  })

  it('with a secure port alone opens no plain one', () => {
    expect(load('secureClientPort=2281', ...CLIENT_STORES).settings.clientPort).toBe(0)
    expect(
      load('secureClientPort=2281', 'clientPort=2182', ...CLIENT_STORES).settings.clientPort,
    ).toBe(2182)
    expect(load().settings.clientPort).toBe(2181)
    expect(refusal('clientPort=0')).toContain('clientPort: may be 0 only')
  })

  it('reads a password from a file, and leaves the peers without TLS of their own on that of clients', () => {
    const password = join(directory, 'password')
    writeFileSync(password, 'third\n')
    const { clientTls, peerTls } = load(
      'client.portUnification=true',
      ...CLIENT_STORES,
      `ssl.keyStore.passwordPath=${password}`,
      'portUnification=true',
    )
    expect(clientTls?.files.keyPassword).toBe('third')
    expect(peerTls?.files).toEqual(clientTls?.files)
  })

  it.each([
    [['secureClientPort=2281'], 'CONFIG_INVALID: tlsCertificateFile: is needed'],
    [
      ['secureClientPort=2281', 'ssl.keyStore.location=/a.pem'],
      'CONFIG_INVALID: tlsCaFile: is needed for TLS, as tlsClientAuth is need',
    ],
    [['sslQuorum=true'], 'CONFIG_INVALID: peerTlsCertificateFile: is needed'],
    [
      ['sslQuorum=true', 'ssl.quorum.keyStore.location=/a', 'ssl.quorum.clientAuth=none'],
      'CONFIG_INVALID: peerTlsCaFile: is needed',
    ],
    [['ssl.clientAuth=maybe'], 'tlsClientAuth (ssl.clientAuth): "maybe"'],
    [['ssl.enabledProtocols=TLSv1'], 'tlsVersionMin (ssl.enabledProtocols): "TLSv1"'],
    [
      ['secureClientPort=2281', ...CLIENT_STORES, 'ssl.keyStore.passwordPath=/none/there'],
      'CONFIG_UNREADABLE: tlsKeyPasswordFile: ',
    ],
  ])('%j is refused', (lines, message) => {
    expect(refusal(...lines)).toContain(message)
  })

  it.each([
    'TLS_AES_256_GCM_SHA384',
    'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256',
    'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256',
    'TLS_RSA_WITH_AES_128_CBC_SHA',
    'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
  ])('the cipher %s is known by its name here', (java) => {
    expect(getCiphers()).toContain(tlsValue('tlsCiphers', java).toLowerCase())
  })
})

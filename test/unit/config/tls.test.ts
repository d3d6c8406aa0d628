import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCiphers } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig, redacted } from '../../../server/config/config.ts'
import { tlsValue } from '../../../server/config/zoo-cfg-tls.ts'
import { CodedError } from '../../../server/errors.ts'
import { tlsFiles } from '../../support/certificates.ts'

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
      'ssl.quorum.keyStore.location=/etc/zk/peer.jks',
      'ssl.quorum.keyStore.type=JKS',
      'ssl.quorum.keyStore.password=second',
      'ssl.quorum.trustStore.location=/etc/zk/peer-ca.p12',
      'ssl.quorum.trustStore.type=pkcs12',
      'ssl.quorum.trustStore.password=fourth',
      'ssl.quorum.hostnameVerification=false',
      'server.1=localhost:2888:3888',
    )
    expect(config.clientTls).toEqual({
      files: tlsFiles({
        certificateFile: '/etc/zk/server.pem',
        certificateType: 'PEM',
        keyPassword: 'first',
        caFile: '/etc/zk/ca.pem',
        caType: 'PEM',
      }),
      policy: {
        versionMin: 'TLSv1.3',
        ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
      },
      clientAuth: 'want',
    })
    expect(config.peerTls).toEqual({
      files: tlsFiles({
        certificateFile: '/etc/zk/peer.jks',
        certificateType: 'JKS',
        keyPassword: 'second',
        caFile: '/etc/zk/peer-ca.p12',
        caType: 'PKCS12',
        caPassword: 'fourth',
      }),
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
    expect(Object.values(redacted(config.settings))).not.toContain('fourth')
  })

  it('asks for nothing in vain without a warning', () => {
    const { warnings } = load(
      'secret=x',
      'quorate.secret=x',
      ...['ssl.', 'ssl.quorum.'].flatMap((before) => [
        `${before}crl=false`,
        `${before}ocsp=true`,
        `${before}clientHostnameVerification=true`,
        `${before}handshakeDetectionTimeoutMillis=5000`,
        `${before}protocol=TLSv1.3`,
        `${before}context.supplier.class=org.example.Contexts`,
      ]),
      'ssl.hostnameVerification=false',
      'ssl.authProvider=x509',
      'ssl.quorum.authProvider=special',
      'authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider',
      'client.certReload=true',
    )
    const [named = ''] = warnings.map((warning) => warning.split('meaning here: ')[1])
    expect(named.split(', ')).toEqual([
      'secret',
      'ssl.ocsp',
      'ssl.clientHostnameVerification',
      'ssl.context.supplier.class',
      'ssl.quorum.ocsp',
      'ssl.quorum.clientHostnameVerification',
      'ssl.quorum.context.supplier.class',
      'ssl.quorum.authProvider',
    ])
  })

  it('the protocol is the least version, unless a list of versions says otherwise', () => {
    const { settings } = load('ssl.protocol=TLSv1.3', 'ssl.quorum.protocol=TLSv1.3')
    expect([settings.tlsVersionMin, settings.peerTlsVersionMin]).toEqual(['TLSv1.3', 'TLSv1.3'])
    const listed = load('ssl.enabledProtocols=TLSv1.2,TLSv1.3', 'ssl.protocol=TLSv1.3')
    expect(listed.settings.tlsVersionMin).toBe('TLSv1.2')
  })

  it.each([
    [['admin.portUnification=true'], 'shared', 'want'],
    [['admin.forceHttps=true', 'admin.portUnification=true'], 'only', 'want'],
    [['admin.portUnification=true', 'admin.forceHttps=true'], 'only', 'want'],
    [['admin.portUnification=true', 'admin.needClientAuth=true'], 'shared', 'need'],
    [['admin.portUnification=false', 'admin.needClientAuth=false'], 'off', 'want'],
  ])('of the AdminServer is that of the peers: %j', (lines, httpTls, clientAuth) => {
    const {
      settings,
      httpTls: choice,
      warnings,
    } = load(
      'quorate.secret=x',
      'ssl.quorum.keyStore.location=/etc/zk/peer.pem',
      'ssl.quorum.trustStore.location=/etc/zk/peer-ca.pem',
      ...CLIENT_STORES,
      ...lines,
    )
    expect([settings.httpTls, settings.httpTlsClientAuth]).toEqual([httpTls, clientAuth])
    expect(choice?.files).toEqual(
      httpTls === 'off'
        ? undefined
        : tlsFiles({ certificateFile: '/etc/zk/peer.pem', caFile: '/etc/zk/peer-ca.pem' }),
    )
    expect(choice?.clientAuth).toBe(httpTls === 'off' ? undefined : clientAuth)
    expect(warnings).toEqual([])
  })

  it('of HTTP has the files of clients where there are no others, and no authorities for nobody', () => {
    const { httpTls } = load(
      'quorate.httpTls=only',
      'quorate.httpTlsClientAuth=none',
      'ssl.keyStore.location=/etc/zk/server.pem',
    )
    expect(httpTls?.files).toEqual(tlsFiles({ certificateFile: '/etc/zk/server.pem' }))
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
    [['ssl.keyStore.type=BCFKS'], 'must be one of auto, PEM, PKCS12, JKS'],
    [['quorate.httpAuth=certificate'], 'httpAuth: certificate needs httpTls'],
    [
      ['quorate.httpAuth=certificate', 'quorate.httpTls=only', 'quorate.httpTlsClientAuth=none'],
      'httpAuth: certificate needs httpTls',
    ],
    [
      ['quorate.httpTls=only', 'ssl.keyStore.location=/a.pem'],
      'peerTlsCaFile: is needed for TLS of httpTlsClientAuth',
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

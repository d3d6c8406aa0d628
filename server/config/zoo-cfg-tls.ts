import type { SettingName } from './schema.ts'

/** ZooKeeper's keys of one kind of connection, behind `ssl.` or `ssl.quorum.`. */
const storeKeys = {
  'keyStore.location': 'CertificateFile',
  'keyStore.password': 'KeyPassword',
  'keyStore.passwordPath': 'KeyPasswordFile',
  'keyStore.type': 'CertificateType',
  'trustStore.location': 'CaFile',
  'trustStore.password': 'CaPassword',
  'trustStore.passwordPath': 'CaPasswordFile',
  'trustStore.type': 'CaType',
  clientAuth: 'ClientAuth',
  enabledProtocols: 'VersionMin',
  ciphersuites: 'Ciphers',
} as const

function keysOf<P extends 'tls' | 'peerTls'>(before: string, settings: P) {
  const pairs = Object.entries(storeKeys).map(([key, end]) => [before + key, `${settings}${end}`])
  return Object.fromEntries(pairs) as Record<
    string,
    `${P}${(typeof storeKeys)[keyof typeof storeKeys]}`
  >
}

/** Keys about TLS that are one of our settings. */
export const tlsKeys: Readonly<Record<string, SettingName>> = {
  secureClientPort: 'secureClientPort',
  secureClientPortAddress: 'secureClientHost',
  'client.portUnification': 'clientPortUnification',
  'X509AuthenticationProvider.superUser': 'superSubject',
  sslQuorum: 'peerTls',
  portUnification: 'peerPortUnification',
  'ssl.quorum.hostnameVerification': 'peerTlsVerifyHost',
  ...keysOf('ssl.', 'tls'),
  ...keysOf('ssl.quorum.', 'peerTls'),
}

/** Keys whose effect this server has anyway: any file is read again when it changes. */
const UNDERSTOOD = new Set([
  'client.certReload',
  'sslQuorumReloadCertFiles',
  'serverCnxnFactory',
  'fips-mode',
])

/**
 * Keys that ask for more than is done here, and the values that do not. Hosts of clients are not looked
 * up, so that one that is asked for is a warning.
 */
const WITHOUT_EFFECT: Readonly<Record<string, RegExp>> = {
  // Of a server that dials clients there are none.
  'ssl.hostnameVerification': /./,
  'ssl.authProvider': /^x509$/,
  'ssl.quorum.authProvider': /^x509$/,
  'authProvider.x509': /\.X509AuthenticationProvider$/,
  ...Object.fromEntries(
    ['ssl.', 'ssl.quorum.'].flatMap((before) => [
      [`${before}protocol`, /^TLS(v1\.[23])?$/],
      [`${before}clientHostnameVerification`, /^false$/i],
      [`${before}crl`, /^false$/i],
      [`${before}ocsp`, /^false$/i],
      [`${before}handshakeDetectionTimeoutMillis`, /./],
    ]),
  ),
}

/** Whether a key that is no setting asks for nothing that is missing. */
export function isTlsUnderstood(key: string, value: string): boolean {
  return UNDERSTOOD.has(key) || WITHOUT_EFFECT[key]?.test(value) === true
}

/** Without a list of versions, that of `ssl.protocol` is the only one in ZooKeeper: the least here. */
export function tlsVersions(entries: ReadonlyMap<string, string>): Record<string, string> {
  const least = (before: string) => entries.get(`${before}protocol`) === 'TLSv1.3'
  return {
    ...(least('ssl.') ? { tlsVersionMin: 'TLSv1.3' } : {}),
    ...(least('ssl.quorum.') ? { peerTlsVersionMin: 'TLSv1.3' } : {}),
  }
}

/** The value of one of them as the setting has it. */
export function tlsValue(setting: SettingName, value: string): string {
  if (setting.endsWith('ClientAuth')) return value.toLowerCase()
  if (setting.endsWith('Type')) return value === '' ? 'auto' : value.toUpperCase()
  if (setting.endsWith('VersionMin')) return leastVersion(value)
  if (setting.endsWith('Ciphers')) return value.split(',').map(opensslName).join(':')
  return value
}

/** Of a list of versions the least that is to be had here; the text itself where there is none. */
function leastVersion(list: string): string {
  const listed = list.split(',').map((version) => version.trim())
  return ['TLSv1.2', 'TLSv1.3'].find((version) => listed.includes(version)) ?? list
}

/** TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256; those of TLS 1.3 stay. */
function opensslName(java: string): string {
  const name = java.trim()
  const [, exchange, cipher] = /^TLS_(\w+?)_WITH_(\w+)$/.exec(name) ?? []
  if (exchange === undefined || cipher === undefined) return name
  const short = cipher
    .replace(/^AES_(\d+)_CBC_/, 'AES$1_')
    .replace(/^AES_(\d+)_/, 'AES$1_')
    .replace(/^(CHACHA20_POLY1305)_SHA256$/, '$1')
  return (exchange === 'RSA' ? short : `${exchange}_${short}`).replaceAll('_', '-')
}

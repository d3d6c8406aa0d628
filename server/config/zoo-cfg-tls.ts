import type { SettingName } from './schema.ts'

/** ZooKeeper's keys of one kind of connection, behind `ssl.` or `ssl.quorum.`. */
const storeKeys = {
  'keyStore.location': 'CertificateFile',
  'keyStore.password': 'KeyPassword',
  'keyStore.passwordPath': 'KeyPasswordFile',
  'trustStore.location': 'CaFile',
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

/**
 * Keys whose effect this server has anyway: what a file holds is seen from its content, files are read
 * again when they change, PEM has no password of its own, and hosts of clients are not looked up.
 */
export const tlsKeysUnderstood: readonly string[] = [
  ...['ssl.', 'ssl.quorum.'].flatMap((before) =>
    [
      'keyStore.type',
      'trustStore.type',
      'trustStore.password',
      'trustStore.passwordPath',
      'protocol',
    ].map((key) => before + key),
  ),
  'ssl.hostnameVerification',
  'ssl.clientHostnameVerification',
  'ssl.authProvider',
  'authProvider.x509',
  'client.certReload',
  'sslQuorumReloadCertFiles',
  'serverCnxnFactory',
]

/** The value of one of them as the setting has it. */
export function tlsValue(setting: SettingName, value: string): string {
  if (setting.endsWith('ClientAuth')) return value.toLowerCase()
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

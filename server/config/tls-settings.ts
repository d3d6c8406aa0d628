import { Type } from 'typebox'

const text = (description: string) => Type.String({ default: '', description })
const off = (description: string) => Type.Boolean({ default: false, description })

/** `who` connects, `where` is what the files are for. */
const clientAuth = (who: string, value: 'want' | 'need' = 'need') =>
  Type.Union([Type.Literal('none'), Type.Literal('want'), Type.Literal('need')], {
    default: value,
    description: `Whether ${who} shows a certificate: never, if it likes, or always`,
  })
const versionMin = (where: string) =>
  Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')], {
    default: 'TLSv1.2',
    description: `Least version of TLS ${where}`,
  })

const storeType = (setting: string) =>
  Type.Union(
    [Type.Literal('auto'), Type.Literal('PEM'), Type.Literal('PKCS12'), Type.Literal('JKS')],
    { default: 'auto', description: `What ${setting} is; auto: by what is in it` },
  )

/** TLS of clients, between servers and of HTTP; a part of the schema. */
export const tlsSettings = {
  secureClientPort: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 0,
    description: 'ZooKeeper clients with TLS; 0 is off',
  }),
  secureClientHost: text('Address to listen on for ZooKeeper clients with TLS; all when empty'),
  clientPortUnification: off('clientPort takes TLS as well as plain connections'),
  tlsCertificateFile: text('Certificate and its chain in PEM, or all in PKCS12 or JKS'),
  tlsCertificateType: storeType('tlsCertificateFile'),
  tlsKeyFile: text('Key in PEM; that of the certificate file when empty'),
  tlsKeyPassword: text('Password of the key, or of the store that it is in'),
  tlsKeyPasswordFile: text('File that holds that password'),
  tlsCaFile: text('Authorities that certificates of clients must come from'),
  tlsCaType: storeType('tlsCaFile'),
  tlsCaPassword: text('Password of tlsCaFile, unless that is PEM'),
  tlsCaPasswordFile: text('File that holds that password'),
  tlsClientAuth: clientAuth('a client'),
  tlsVersionMin: versionMin('for clients'),
  tlsCiphers: text("Ciphers for clients as OpenSSL lists them; Node's own when empty"),
  superSubject: text('Subject of the certificate of the superuser, as RFC 2253 writes it'),
  peerTls: off('TLS between servers, in both directions'),
  peerPortUnification: off('peerPort takes TLS as well as plain links, to change over'),
  peerTlsCertificateFile: text('As tlsCertificateFile, between servers; that one when empty'),
  peerTlsCertificateType: storeType('peerTlsCertificateFile'),
  peerTlsKeyFile: text('As tlsKeyFile, for peerTlsCertificateFile'),
  peerTlsKeyPassword: text('As tlsKeyPassword, for peerTlsCertificateFile'),
  peerTlsKeyPasswordFile: text('File that holds that password'),
  peerTlsCaFile: text('Authorities of the other servers; tlsCaFile when empty'),
  peerTlsCaType: storeType('peerTlsCaFile'),
  peerTlsCaPassword: text('As tlsCaPassword, for peerTlsCaFile'),
  peerTlsCaPasswordFile: text('File that holds that password'),
  peerTlsClientAuth: clientAuth('a server that dials'),
  peerTlsVersionMin: versionMin('between servers'),
  peerTlsCiphers: text("Ciphers between servers as OpenSSL lists them; Node's own when empty"),
  httpTls: Type.Union([Type.Literal('off'), Type.Literal('shared'), Type.Literal('only')], {
    default: 'off',
    description: 'TLS on httpPort, with the files of peerTls: beside plain HTTP, or alone',
  }),
  httpTlsClientAuth: clientAuth('a client of HTTP', 'want'),
  peerTlsVerifyHost: Type.Boolean({
    default: true,
    description: 'The certificate of a server must be for the host under which it is dialled',
  }),
}

/** Passwords, whose value is never printed. */
export const tlsSecretSettings = [
  'tlsKeyPassword',
  'tlsCaPassword',
  'peerTlsKeyPassword',
  'peerTlsCaPassword',
] as const

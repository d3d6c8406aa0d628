import { createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { CodedError } from '../errors.ts'
import { isJks, readJks } from './jks.ts'
import { readPkcs12 } from './pkcs12.ts'
import { pemOf, type StoreEntries, StoreUnreadable, trustedOf } from './store-entries.ts'

/** What a file is said to be. Java reads JKS and PKCS12 under either name, and so does this. */
export const STORE_TYPES = ['auto', 'PEM', 'PKCS12', 'JKS'] as const
export type StoreType = (typeof STORE_TYPES)[number]

export interface TlsFiles {
  /** The certificate with its chain, and the key unless it is a file of its own; '' for none. */
  readonly certificateFile: string
  readonly certificateType: StoreType
  /** PEM; '' where the file of the certificate has it. */
  readonly keyFile: string
  /** Of the key, or of the store that holds it; '' for none. */
  readonly keyPassword: string
  /** The authorities that certificates of others must come from; '' for none. */
  readonly caFile: string
  readonly caType: StoreType
  /** Of a store of authorities that is not PEM; '' for none. */
  readonly caPassword: string
}

export interface TlsPolicy {
  readonly versionMin: 'TLSv1.2' | 'TLSv1.3'
  /** As OpenSSL lists them; '' for Node's own choice. */
  readonly ciphers: string
}

/** What the files held when they were read, unchecked. */
export interface StoreContents {
  readonly certificate: Buffer | null
  readonly key: Buffer | null
  readonly ca: Buffer | null
}

/** What a server or a dialler offers and trusts. */
export interface TlsStores {
  readonly context: SecureContextOptions
  /** The notAfter of the certificate, of several the first; null without one. */
  readonly expiresAtMs: number | null
}

/** SSL_OP_NO_TICKET: a resumed session would not show its certificate again. */
const NO_TICKETS = 0x4000

/** Reads the files, whose names must be there; throws TLS_UNUSABLE. */
export async function readStores(files: TlsFiles): Promise<StoreContents> {
  const read = async (file: string) => {
    if (file === '') return null
    try {
      return await readFile(file)
    } catch (error) {
      throw unusable(file, reasonOf(error))
    }
  }
  const { certificateFile, keyFile, caFile } = files
  const [certificate, key, ca] = await Promise.all([certificateFile, keyFile, caFile].map(read))
  return { certificate: certificate ?? null, key: key ?? null, ca: ca ?? null }
}

/** Turns the contents into something to open connections with; throws TLS_UNUSABLE. */
export async function openStores(
  files: TlsFiles,
  contents: StoreContents,
  policy: TlsPolicy,
): Promise<TlsStores> {
  const own = await ownOf(files, contents)
  const ca = await authoritiesOf(files, contents)
  const context: SecureContextOptions = {
    ...own,
    ...(ca === null ? {} : { ca }),
    minVersion: policy.versionMin,
    ...(policy.ciphers === '' ? {} : { ciphers: policy.ciphers }),
    secureOptions: NO_TICKETS,
  }
  try {
    createSecureContext(context)
    if (contents.ca !== null && ca === contents.ca) new X509Certificate(contents.ca)
    return { context, expiresAtMs: expiryOf(own.cert) }
  } catch (error) {
    const names = [files.certificateFile, files.keyFile, files.caFile].filter(Boolean).join(', ')
    throw unusable(names, reasonOf(error))
  }
}

type Own = Pick<SecureContextOptions, 'key' | 'passphrase'> & {
  readonly cert?: Buffer | string[]
}

/** The certificate and its key. */
async function ownOf(files: TlsFiles, { certificate, key }: StoreContents): Promise<Own> {
  const { certificateFile: file, certificateType: type, keyPassword: password } = files
  if (certificate === null) return {}
  if (kindOf(file, type, certificate) === 'pem') {
    const passphrase = password === '' ? {} : { passphrase: password }
    return { cert: certificate, key: key ?? certificate, ...passphrase }
  }
  const { keys } = await entriesOf(file, certificate, password)
  if (keys.length === 0) throw unusable(file, 'has no private key')
  return {
    cert: keys.map(({ chain }) => chain.map((der) => pemOf('CERTIFICATE', der)).join('')),
    key: keys.map((entry) => pemOf('PRIVATE KEY', entry.key)),
  }
}

async function authoritiesOf(
  { caFile: file, caType: type, caPassword: password }: TlsFiles,
  { ca }: StoreContents,
): Promise<Buffer | string[] | null> {
  if (ca === null || kindOf(file, type, ca) === 'pem') return ca
  const trusted = trustedOf(await entriesOf(file, ca, password))
  if (trusted.length === 0) throw unusable(file, 'has no certificates')
  return trusted.map((der) => pemOf('CERTIFICATE', der))
}

async function entriesOf(file: string, content: Buffer, password: string): Promise<StoreEntries> {
  try {
    return isJks(content) ? readJks(content, password) : await readPkcs12(content, password)
  } catch (error) {
    if (error instanceof StoreUnreadable) throw unusable(file, error.message)
    throw error
  }
}

function expiryOf(cert: Own['cert']): number | null {
  if (cert === undefined) return null
  const each = Buffer.isBuffer(cert) ? [cert] : cert
  return Math.min(...each.map((pem) => Date.parse(new X509Certificate(pem).validTo)))
}

/** Tells whether the files have changed. */
export function digestOf({ certificate, key, ca }: StoreContents): string {
  const hash = createHash('sha256')
  for (const part of [certificate, key, ca])
    hash.update(`${part?.length ?? -1}:`).update(part ?? '')
  return hash.digest('hex')
}

const JCEKS = 0xce_ce_ce_ce

/** By what is in it: keytool writes PKCS12 into files called .jks. */
function kindOf(file: string, type: StoreType, content: Buffer): 'pem' | 'java' {
  if (/\.bcfks$/i.test(file)) throw unusable(file, `is a BCFKS store; ${CONVERT}`)
  if (content.length >= 4 && content.readUInt32BE(0) === JCEKS) {
    throw unusable(file, `is a JCEKS store; ${CONVERT}`)
  }
  const pem = content.includes('-----BEGIN ')
  if (!pem && !isJks(content) && content[0] !== 0x30) {
    throw unusable(file, 'is neither PEM nor PKCS12 nor JKS')
  }
  if (type !== 'auto' && pem !== (type === 'PEM')) {
    throw unusable(file, `is ${pem ? '' : 'not '}PEM, but said to be ${type}`)
  }
  return pem ? 'pem' : 'java'
}

const CONVERT =
  'make it PKCS12 with: keytool -importkeystore -srckeystore STORE -destkeystore store.p12 -deststoretype PKCS12'

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function unusable(file: string, reason: string): CodedError {
  return new CodedError('TLS_UNUSABLE', `${file}: ${reason}`)
}

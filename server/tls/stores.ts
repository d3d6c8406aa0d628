import { createHash, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { CodedError } from '../errors.ts'

export interface TlsFiles {
  /** PEM (the certificate with its chain, and the key unless it is a file of its own) or PKCS12. */
  readonly certificateFile: string
  /** PEM; '' where the file of the certificate has it. */
  readonly keyFile: string
  /** PEM: the authorities that certificates of others must come from; '' for none. */
  readonly caFile: string
  /** Of the key or of the PKCS12 file; '' for none. */
  readonly keyPassword: string
}

export interface TlsPolicy {
  readonly versionMin: 'TLSv1.2' | 'TLSv1.3'
  /** As OpenSSL lists them; '' for Node's own choice. */
  readonly ciphers: string
}

/** What the files held when they were read, unchecked. */
export interface StoreContents {
  readonly certificate: Buffer
  readonly key: Buffer | null
  readonly ca: Buffer | null
}

/** What a server or a dialler offers and trusts. */
export interface TlsStores {
  readonly context: SecureContextOptions
  /** The certificate's notAfter; null for PKCS12, whose certificate is not read here. */
  readonly expiresAtMs: number | null
}

/** SSL_OP_NO_TICKET: a resumed session would not show its certificate again. */
const NO_TICKETS = 0x4000

/** Turns the contents into something to open connections with; throws TLS_UNUSABLE. */
export function openStores(files: TlsFiles, contents: StoreContents, policy: TlsPolicy): TlsStores {
  const { certificateFile, caFile, keyFile, keyPassword } = files
  const kind = kindOf(contents.certificate)
  refuseJava(certificateFile, kind, 'openssl pkcs12 -in store.p12 -nodes -out store.pem')
  if (contents.ca !== null && kindOf(contents.ca) !== 'pem') {
    refuseJava(caFile, kindOf(contents.ca), 'openssl pkcs12 -in store.p12 -nokeys -out ca.pem')
    throw unusable(caFile, `is not PEM; ${CONVERT_CA}`)
  }
  const context: SecureContextOptions = {
    ...(kind === 'pkcs12'
      ? { pfx: contents.certificate }
      : { cert: contents.certificate, key: contents.key ?? contents.certificate }),
    ...(keyPassword === '' ? {} : { passphrase: keyPassword }),
    ...(contents.ca === null ? {} : { ca: contents.ca }),
    minVersion: policy.versionMin,
    ...(policy.ciphers === '' ? {} : { ciphers: policy.ciphers }),
    secureOptions: NO_TICKETS,
  }
  try {
    createSecureContext(context)
    if (contents.ca !== null) new X509Certificate(contents.ca)
    const expiresAtMs =
      kind === 'pem' ? Date.parse(new X509Certificate(contents.certificate).validTo) : null
    return { context, expiresAtMs }
  } catch (error) {
    const names = [certificateFile, keyFile, caFile].filter(Boolean).join(', ')
    throw unusable(names, error instanceof Error ? error.message : String(error))
  }
}

/** Tells whether the files have changed. */
export function digestOf({ certificate, key, ca }: StoreContents): string {
  const hash = createHash('sha256')
  for (const part of [certificate, key, ca])
    hash.update(`${part?.length ?? -1}:`).update(part ?? '')
  return hash.digest('hex')
}

const CONVERT_CA = 'make it so with: openssl pkcs12 -in store.p12 -nokeys -out ca.pem'

type StoreKind = 'pem' | 'pkcs12' | 'jks' | 'unknown'

/** By what is in it: keytool writes PKCS12 into files called .jks. */
function kindOf(content: Buffer): StoreKind {
  if (content.includes('-----BEGIN ')) return 'pem'
  const magic = content.length < 4 ? 0 : content.readUInt32BE(0)
  if (magic === 0xfe_ed_fe_ed || magic === 0xce_ce_ce_ce) return 'jks'
  return content[0] === 0x30 ? 'pkcs12' : 'unknown'
}

function refuseJava(file: string, kind: StoreKind, then: string): void {
  if (kind === 'unknown') throw unusable(file, 'is neither PEM nor PKCS12')
  if (kind !== 'jks') return
  const first = `keytool -importkeystore -srckeystore ${file} -destkeystore store.p12 -deststoretype PKCS12`
  throw unusable(file, `is a JKS store, which only Java reads; make it PEM with: ${first}; ${then}`)
}

export function unusable(file: string, reason: string): CodedError {
  return new CodedError('TLS_UNUSABLE', `${file}: ${reason}`)
}

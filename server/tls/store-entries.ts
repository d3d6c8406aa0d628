import { X509Certificate } from 'node:crypto'

/** What a store of Java holds. */
export interface StoreEntries {
  readonly keys: readonly KeyEntry[]
  /** Certificates that others' must come from, in DER. */
  readonly authorities: readonly Buffer[]
}

export interface KeyEntry {
  /** PKCS8 in DER. */
  readonly key: Buffer
  /** In DER, the key's own first. */
  readonly chain: readonly Buffer[]
}

/** A store that cannot be read; the message says why. */
export class StoreUnreadable extends Error {}

export const WRONG_PASSWORD = 'the password does not open it'

export type PemLabel = 'CERTIFICATE' | 'PRIVATE KEY'

export function pemOf(label: PemLabel, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/**
 * The certificates that a Java server trusts by this store: entries of their own, and of a key's
 * chain the key's own certificate alone. Throws on what is no certificate.
 */
export function trustedOf({ keys, authorities }: StoreEntries): Buffer[] {
  const all = [...authorities, ...keys.flatMap(({ chain }) => chain.slice(0, 1))]
  for (const der of all) new X509Certificate(der)
  return all
}

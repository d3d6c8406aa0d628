import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { asn1, pkcs12 } from 'node-forge'
import {
  type KeyEntry,
  type StoreEntries,
  StoreUnreadable,
  WRONG_PASSWORD,
} from './store-entries.ts'

/**
 * A PKCS12 store, of keytool or OpenSSL. Node reads one itself, but takes whatever certificates are
 * beside the key for authorities, and none without a key. Throws StoreUnreadable.
 *
 * Its passwords are stretched in JavaScript: one store takes some hundred milliseconds.
 */
export async function readPkcs12(content: Buffer, password: string): Promise<StoreEntries> {
  // Large, and of no use to a server without such a store.
  const { default: forge } = await import('node-forge')
  const der = (value: asn1.Asn1) => Buffer.from(forge.asn1.toDer(value).getBytes(), 'latin1')
  const keyOf = ({ key, asn1 }: pkcs12.Bag): KeyObject => {
    const value = key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1
    return createPrivateKey({ key: der(value), format: 'der', type: 'pkcs8' })
  }
  const certificateOf = ({ cert, asn1 }: pkcs12.Bag): X509Certificate =>
    new X509Certificate(der(cert ? forge.pki.certificateToAsn1(cert) : asn1))
  const { keyBag = '', pkcs8ShroudedKeyBag = '', certBag = '' } = forge.pki.oids
  try {
    const whole = forge.asn1.fromDer(content.toString('latin1'))
    const { safeContents } = forge.pkcs12.pkcs12FromAsn1(whole, false, password)
    const bags = safeContents.flatMap(({ safeBags }) => safeBags)
    const keys = bags.filter(({ type }) => type === keyBag || type === pkcs8ShroudedKeyBag)
    const certificates = bags.filter(({ type }) => type === certBag).map(certificateOf)
    return entriesOf(keys.map(keyOf), certificates)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StoreUnreadable(/Invalid password/.test(reason) ? WRONG_PASSWORD : reason)
  }
}

/** Each key with the chain of its certificate; what is in no chain stands for itself. */
function entriesOf(
  privateKeys: readonly KeyObject[],
  certificates: readonly X509Certificate[],
): StoreEntries {
  const used = new Set<X509Certificate>()
  const keys: KeyEntry[] = []
  for (const privateKey of privateKeys) {
    const chain: X509Certificate[] = []
    let next = certificates.find((certificate) => certificate.checkPrivateKey(privateKey))
    while (next !== undefined && !chain.includes(next)) {
      const last: X509Certificate = next
      chain.push(last)
      next = certificates.find((issuer) => issuer !== last && last.checkIssued(issuer))
    }
    if (chain.length === 0) throw new StoreUnreadable('a key has no certificate')
    for (const certificate of chain) used.add(certificate)
    const key = privateKey.export({ format: 'der', type: 'pkcs8' })
    keys.push({ key, chain: chain.map(({ raw }) => raw) })
  }
  const authorities = certificates.filter((certificate) => !used.has(certificate))
  return { keys, authorities: authorities.map(({ raw }) => raw) }
}

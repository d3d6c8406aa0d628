import { createHash, timingSafeEqual } from 'node:crypto'
import {
  type KeyEntry,
  type StoreEntries,
  StoreUnreadable,
  WRONG_PASSWORD,
} from './store-entries.ts'

/**
 * Java's own format of stores: entries behind each other, keys under a keystream of SHA-1, and a
 * SHA-1 over all of it with the password (sun.security.provider.JavaKeyStore).
 */
const MAGIC = 0xfe_ed_fe_ed
const VERSIONS = [1, 2]
const DIGEST_BYTES = 20
const KEY_ENTRY = 1
const CERTIFICATE_ENTRY = 2
/** Of EncryptedPrivateKeyInfo with the algorithm 1.3.6.1.4.1.42.2.17.1.1, behind tag and length. */
const ALGORITHM = Buffer.from('300e060a2b060104012a021101010500', 'hex')

export function isJks(content: Buffer): boolean {
  return content.length >= 4 && content.readUInt32BE(0) === MAGIC
}

/** Throws StoreUnreadable; a store that was changed cannot be told from a wrong password. */
export function readJks(content: Buffer, password: string): StoreEntries {
  const end = content.length - DIGEST_BYTES
  const secret = Buffer.from(password, 'utf16le').swap16()
  if (end < 12) throw new StoreUnreadable('it ends too early')
  const digest = sha1(secret, Buffer.from('Mighty Aphrodite'), content.subarray(0, end))
  if (!timingSafeEqual(digest, content.subarray(end))) throw new StoreUnreadable(WRONG_PASSWORD)
  const reader = new Reader(content.subarray(0, end))
  reader.int()
  const version = reader.int()
  if (!VERSIONS.includes(version)) throw new StoreUnreadable(`version ${version} is not known`)
  const certificate = (): Buffer => {
    const type = version === 1 ? 'X.509' : reader.text()
    if (type !== 'X.509') throw new StoreUnreadable(`a certificate is ${type}, not X.509`)
    return reader.bytes(reader.int())
  }
  const keys: KeyEntry[] = []
  const authorities: Buffer[] = []
  for (let left = reader.int(); left > 0; left -= 1) {
    const tag = reader.int()
    // Alias and date.
    reader.text()
    reader.bytes(8)
    if (tag === CERTIFICATE_ENTRY) {
      authorities.push(certificate())
    } else if (tag === KEY_ENTRY) {
      const key = decryptKey(reader.bytes(reader.int()), secret)
      const chain = Array.from({ length: reader.count() }, certificate)
      keys.push({ key, chain })
    } else throw new StoreUnreadable(`an entry is of the unknown kind ${tag}`)
  }
  return { keys, authorities }
}

/** A salt, the key under the keystream that begins with it, and a digest of the plain key. */
function decryptKey(wrapped: Buffer, secret: Buffer): Buffer {
  const at = wrapped.indexOf(ALGORITHM)
  if (at < 0 || at > 8) throw new StoreUnreadable('a key is encrypted in an unknown way')
  const octets = wrapped.subarray(at + ALGORITHM.length)
  const lengthBytes = (octets[1] ?? 0) < 0x80 ? 0 : (octets[1] ?? 0) & 0x7f
  const protectedKey = octets.subarray(2 + lengthBytes)
  if (protectedKey.length <= 2 * DIGEST_BYTES) throw new StoreUnreadable('a key ends too early')
  const key = Buffer.from(protectedKey.subarray(DIGEST_BYTES, -DIGEST_BYTES))
  let stream: Buffer = protectedKey.subarray(0, DIGEST_BYTES)
  for (let at = 0; at < key.length; at += DIGEST_BYTES) {
    stream = sha1(secret, stream)
    for (let i = 0; i < DIGEST_BYTES && at + i < key.length; i += 1) {
      key[at + i] = (key[at + i] ?? 0) ^ (stream[i] ?? 0)
    }
  }
  if (!timingSafeEqual(sha1(secret, key), protectedKey.subarray(-DIGEST_BYTES))) {
    throw new StoreUnreadable('the password of a key is not that of the store')
  }
  return key
}

function sha1(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

class Reader {
  readonly #content: Buffer
  #at = 0

  constructor(content: Buffer) {
    this.#content = content
  }

  bytes(length: number): Buffer {
    const end = this.#at + length
    if (length < 0 || end > this.#content.length) throw new StoreUnreadable('it ends too early')
    const bytes = this.#content.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  int(): number {
    return this.bytes(4).readInt32BE(0)
  }

  /** Of things that have at least a length each. */
  count(): number {
    const count = this.int()
    if (count < 0 || count * 4 > this.#content.length) {
      throw new StoreUnreadable('it ends too early')
    }
    return count
  }

  text(): string {
    return this.bytes(this.bytes(2).readUInt16BE(0)).toString('utf8')
  }
}

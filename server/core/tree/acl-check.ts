import { type Acl, type AclEntry, type Identity, OPEN_ACL, Permission } from './acl.ts'
import { isDistinguishedName } from './distinguished-name.ts'

/** The schemes that a list may name; `auth` is replaced when the list is stored. */
const SCHEMES = new Set(['world', 'digest', 'ip', 'x509', 'sasl'])
/** Schemes whose identities stand for an authenticated client (`auth` expands to these). */
const AUTHENTICATED = new Set(['digest', 'x509', 'sasl'])

/**
 * Whether the identities may do what `permission` names. The `super` identity may do everything.
 */
export function allows(acl: Acl, identities: readonly Identity[], permission: number): boolean {
  if (acl === OPEN_ACL) return true
  for (const entry of acl) {
    if ((entry.permissions & permission) === 0) continue
    if (entry.scheme === 'world' && entry.id === 'anyone') return true
    for (const identity of identities) if (matches(entry, identity)) return true
  }
  return isSuper(identities)
}

export function isSuper(identities: readonly Identity[]): boolean {
  return identities.some((identity) => identity.scheme === 'super')
}

function matches(entry: AclEntry, identity: Identity): boolean {
  if (entry.scheme !== identity.scheme) return false
  if (entry.scheme === 'ip') return addressMatches(entry.id, identity.id)
  // ZooKeeper's servers among each other: of all that sasl's users own.
  if (entry.scheme === 'sasl' && identity.id === 'super') return true
  return entry.id === identity.id
}

/**
 * The list as it is stored (reference B5.13): `auth` becomes the caller's authenticated identities,
 * duplicates go; null when the list is empty, names an unknown scheme or a malformed id.
 */
export function fixAcl(acl: Acl, identities: readonly Identity[]): Acl | null {
  if (acl === OPEN_ACL) return acl
  const fixed: AclEntry[] = []
  for (const entry of acl) {
    if (entry.scheme === 'auth') {
      const own = identities.filter((identity) => AUTHENTICATED.has(identity.scheme))
      if (own.length === 0) return null
      for (const { scheme, id } of own) add(fixed, { permissions: entry.permissions, scheme, id })
    } else if (isValid(entry)) {
      add(fixed, entry)
    } else {
      return null
    }
  }
  if (fixed.length === 0) return null
  return isOpen(fixed) ? OPEN_ACL : fixed
}

function isOpen(acl: Acl): boolean {
  const [first] = acl
  return (
    acl.length === 1 &&
    first?.scheme === 'world' &&
    first.id === 'anyone' &&
    first.permissions === Permission.all
  )
}

function add(list: AclEntry[], entry: AclEntry): void {
  const same = (other: AclEntry): boolean =>
    other.permissions === entry.permissions &&
    other.scheme === entry.scheme &&
    other.id === entry.id
  if (!list.some(same)) list.push(entry)
}

function isValid({ scheme, id }: AclEntry): boolean {
  if (!SCHEMES.has(scheme)) return false
  if (scheme === 'world') return id === 'anyone'
  if (scheme === 'digest') return isUserAndHash(id)
  if (scheme === 'ip') return parseRange(id) !== null
  if (scheme === 'x509') return isDistinguishedName(id)
  return isPrincipal(id)
}

/** A name of Kerberos, which ZooKeeper takes all of sasl's for: what has an @ must be well formed. */
function isPrincipal(id: string): boolean {
  return !id.includes('@') || /^[^/@]*(?:\/[^/@]*)?@[^/@]*$/.test(id)
}

/** "user:hash" as ZooKeeper splits it: empty parts at the end do not count. */
function isUserAndHash(id: string): boolean {
  const parts = id.split(':')
  while (parts.at(-1) === '') parts.pop()
  return parts.length === 2
}

/** Digests without their hash, for callers without ADMIN (getACL of 3.9). */
export function maskDigests(acl: Acl): Acl {
  return acl.map((entry) =>
    entry.scheme === 'digest' ? { ...entry, id: `${entry.id.split(':')[0]}:x` } : entry,
  )
}

interface Range {
  readonly bytes: readonly number[]
  readonly bits: number
}

function addressMatches(range: string, address: string): boolean {
  const parsed = parseRange(range)
  const bytes = parseAddress(address)
  if (parsed === null || bytes === null || bytes.length !== parsed.bytes.length) return false
  for (let bit = 0; bit < parsed.bits; bit += 8) {
    const mask = parsed.bits - bit >= 8 ? 0xff : (0xff << (8 - (parsed.bits - bit))) & 0xff
    const index = bit / 8
    if (((bytes[index] ?? 0) & mask) !== ((parsed.bytes[index] ?? 0) & mask)) return false
  }
  return true
}

/** "10.0.0.0/8", "::1": the address and how many of its bits count. */
function parseRange(text: string): Range | null {
  const [address, length, rest] = text.split('/')
  const bytes = parseAddress(address ?? '')
  if (bytes === null || rest !== undefined) return null
  if (length === undefined) return { bytes, bits: bytes.length * 8 }
  if (!/^\d{1,3}$/.test(length)) return null
  const bits = Number(length)
  return bits <= bytes.length * 8 ? { bytes, bits } : null
}

function parseAddress(text: string): number[] | null {
  const v4 = text.replace(/^::ffff:(?=\d+\.)/i, '')
  if (v4.includes('.')) return parseV4(v4)
  const zoneless = text.split('%')[0] ?? ''
  const [left, right, extra] = zoneless.split('::')
  if (extra !== undefined || left === undefined) return null
  const head = parseGroups(left)
  const tail = right === undefined ? [] : parseGroups(right)
  if (head === null || tail === null) return null
  const missing = 8 - head.length - tail.length
  if (right === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail]
  return groups.flatMap((group) => [group >> 8, group & 0xff])
}

function parseV4(text: string): number[] | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  const bytes = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256))
  return bytes.every((byte) => byte < 256) ? bytes : null
}

function parseGroups(text: string): number[] | null {
  if (text === '') return []
  const groups = text.split(':')
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null
  return groups.map((group) => Number.parseInt(group, 16))
}

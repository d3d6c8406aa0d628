/**
 * The subject of a certificate as ZooKeeper's x509 scheme spells it: X500Principal.getName() of Java,
 * RFC 2253 with Java's own habits (checked against Java 17): the last name first, a comma and no space
 * between them, types without a keyword and values without a text type in hex, `=` and `#` escaped too.
 */

const SEQUENCE = 0x30
const SET = 0x31
const OBJECT_ID = 0x06
/** The optional version in front of a certificate's serial number. */
const VERSION = 0xa0
/** UTF8, Printable, T61, IA5, General and BMP: Java reads the bytes of all of them as UTF-8. */
const TEXT_TAGS = new Set([12, 19, 20, 22, 27, 30])

const KEYWORDS: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
}

interface Element {
  readonly tag: number
  readonly content: Buffer
  /** Tag, length and content. */
  readonly whole: Buffer
}

/** The subject of a certificate in DER; null when it cannot be read. */
export function subjectName(certificate: Buffer): string | null {
  const [outer] = elements(certificate) ?? []
  const [body] = outer?.tag === SEQUENCE ? (elements(outer.content) ?? []) : []
  const fields = body?.tag === SEQUENCE ? elements(body.content) : null
  if (fields === null) return null
  // Version (where there is one), serial number, signature, issuer, validity, subject.
  const subject = fields[fields[0]?.tag === VERSION ? 5 : 4]
  if (subject?.tag !== SEQUENCE) return null
  const names = elements(subject.content)?.map(relativeName)
  if (names === undefined || names.some((name) => name === null)) return null
  return names.reverse().join(',')
}

/** One or more types with their values. */
function relativeName(set: Element): string | null {
  if (set.tag !== SET) return null
  const pairs = elements(set.content)?.map(typeAndValue)
  if (pairs === undefined || pairs.length === 0 || pairs.some((pair) => pair === null)) return null
  return pairs.join('+')
}

function typeAndValue(pair: Element): string | null {
  const parts = pair.tag === SEQUENCE ? elements(pair.content) : null
  if (parts === null) return null
  const [type, value] = parts
  if (type?.tag !== OBJECT_ID || type.content.length === 0 || value === undefined) return null
  const id = objectId(type.content)
  const keyword = KEYWORDS[id]
  if (keyword === undefined || !TEXT_TAGS.has(value.tag)) {
    return `${keyword ?? id}=#${value.whole.toString('hex')}`
  }
  return `${keyword}=${escaped(value.content.toString('utf8'))}`
}

function escaped(text: string): string {
  const isBlank = (at: number) => text[at] === ' ' || text[at] === '\r'
  let first = 0
  while (first < text.length && isBlank(first)) first += 1
  let end = text.length
  while (end > first && isBlank(end - 1)) end -= 1
  const middle = text.slice(first, end)
  const outside = (blanks: string) => blanks.replace(/[ \r]/g, '\\$&')
  return [
    outside(text.slice(0, first)),
    middle.replace(/[,=+<>#;"\\]/g, '\\$&').replaceAll('\0', '\\00'),
    outside(text.slice(end)),
  ].join('')
}

function objectId(content: Buffer): string {
  const numbers: bigint[] = []
  let number = 0n
  for (const byte of content) {
    number = number * 128n + BigInt(byte & 0x7f)
    if (byte < 0x80) {
      numbers.push(number)
      number = 0n
    }
  }
  const [first = 0n, ...rest] = numbers
  const root = first < 80n ? first / 40n : 2n
  return [root, first - root * 40n, ...rest].join('.')
}

/** The elements of a run of DER; null when it is malformed. */
function elements(der: Buffer): Element[] | null {
  const found: Element[] = []
  for (let at = 0; at < der.length; ) {
    const first = der[at + 1] ?? 0xff
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f
    const head = 2 + lengthBytes
    if (lengthBytes > 4 || at + head > der.length) return null
    const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes)
    const end = at + head + length
    if (end > der.length || (first >= 0x80 && lengthBytes === 0)) return null
    found.push({
      tag: der[at] ?? 0,
      content: der.subarray(at + head, end),
      whole: der.subarray(at, end),
    })
    at = end
  }
  return found
}

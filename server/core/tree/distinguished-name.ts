/** Types that Java knows by a keyword; any other is given by its numbers. */
const KEYWORDS = new Set(
  'CN C L S ST O OU T IP STREET DC DNQUALIFIER DNQ SURNAME GIVENNAME INITIALS GENERATION EMAIL EMAILADDRESS UID SERIALNUMBER'.split(
    ' ',
  ),
)
/** What a separator may not stand in: an escaped character, or a quoted text. */
const PART = /(?:\\[\s\S]|"(?:\\[\s\S]|[^"\\])*"|[^,;+"\\])*/y
/** A quoted text, or one in which what has a meaning is escaped. */
const VALUE = /^(?:"(?:\\[\s\S]|[^"\\])*"|(?:\\(?:[,=+<>#;"\\ ]|[0-9a-f]{2})|[^"\\<>])*)$/i

/**
 * Whether an id of the x509 scheme can be a subject's name, as X500Principal of Java judges it for
 * ZooKeeper: `type=value` with commas, semicolons or plus signs between them, or nothing at all.
 */
export function isDistinguishedName(text: string): boolean {
  if (text === '') return true
  for (let at = 0; ; at = PART.lastIndex + 1) {
    PART.lastIndex = at
    const part = PART.exec(text)?.[0] ?? ''
    if (!isTypeAndValue(part)) return false
    if (PART.lastIndex >= text.length) return true
    if (!',;+'.includes(text[PART.lastIndex] ?? '')) return false
  }
}

function isTypeAndValue(part: string): boolean {
  const equals = part.indexOf('=')
  if (equals < 0) return false
  const type = part.slice(0, equals).trim().toUpperCase()
  const numbers = type.replace(/^OID\./, '')
  if (!KEYWORDS.has(type) && !/^[012](?:\.\d+)+$/.test(numbers)) return false
  const value = part.slice(equals + 1).trimStart()
  if (value.startsWith('#')) return isHexOfElement(value.trimEnd().slice(1))
  return VALUE.test(value.startsWith('"') ? value.trimEnd() : value)
}

/** One element of DER with a length of one byte, or a longer one that nobody writes by hand. */
function isHexOfElement(hex: string): boolean {
  if (!/^(?:[0-9a-f]{2}){2,}$/i.test(hex)) return false
  const length = Number.parseInt(hex.slice(2, 4), 16)
  return length >= 0x80 || hex.length === 4 + 2 * length
}

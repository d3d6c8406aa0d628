import { CodedError } from '../errors.ts'

/**
 * Text in the form of Java's properties (java.util.Properties.load): a key, then `=`, `:` or white space,
 * then the value; comments with `#` and `!`; a backslash escapes, and at the end of a line continues it.
 * Of a key that is there twice, the last counts. Unlike Java's, the text is not Latin-1. Values are without
 * white space around them, as ZooKeeper takes them. Throws CONFIG_INVALID, with the file's path, for a `\u`
 * without four hexadecimal digits.
 */
export function parseProperties(path: string, text: string): Map<string, string> {
  const entries = new Map<string, string>()
  for (const line of logicalLines(text)) {
    const [, key = '', value = ''] =
      /^((?:\\.|[^\\=:\s])*)(?:[ \t\f]*[=:][ \t\f]*|[ \t\f]+)?(.*)$/s.exec(line) ?? []
    entries.set(unescaped(path, key).trim(), unescaped(path, value).trim())
  }
  return entries
}

/** Lines without comments, blank ones and leading white space; those that continue are one. */
function logicalLines(text: string): string[] {
  const lines: string[] = []
  let begun: string | null = null
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line = natural.replace(/^[ \t\f]+/, '')
    if (begun === null && (line === '' || /^[#!]/.test(line))) continue
    const whole: string = (begun ?? '') + line
    const continues = (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1
    begun = continues ? whole.slice(0, -1) : null
    if (!continues) lines.push(whole)
  }
  if (begun !== null) lines.push(begun)
  return lines
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescaped(path: string, text: string): string {
  return text.replace(/\\(u.{0,4}|.)/gs, (_, sequence: string) => {
    if (!sequence.startsWith('u')) return ESCAPES[sequence] ?? sequence
    const digits = sequence.slice(1)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
      const problem = `${path}: \\u is not followed by four hexadecimal digits`
      throw new CodedError('CONFIG_INVALID', problem)
    }
    return String.fromCharCode(Number.parseInt(digits, 16))
  })
}

/** One login module of a section of a JAAS file. */
export interface JaasModule {
  readonly className: string
  readonly options: ReadonlyMap<string, string>
}

interface Token {
  /** A quoted text is a word too. */
  readonly kind: 'word' | '{' | '}' | '=' | ';'
  readonly text: string
  readonly line: number
}

const FLAGS = new Set(['REQUIRED', 'REQUISITE', 'SUFFICIENT', 'OPTIONAL'])
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** Blanks and comments; a sign, a quoted text or a word, as Java's own reader of JAAS files splits it. */
const BLANK = /(?:\s|\/\*[\s\S]*?\*\/|\/[^*\n\r][^\n\r]*|\/(?=[\n\r]|$))+/y
const WORD = /[A-Za-z$_*\u00a0-\uffff][\w$*\u00a0-\uffff.-]*/y
const QUOTED = /"((?:\\[^\n\r]|[^"\\\n\r])*)"/y

/**
 * The sections of a JAAS login configuration by name. Throws an Error that names the line where the
 * text is none, or uses what only Java has.
 */
export function parseJaas(text: string): Map<string, readonly JaasModule[]> {
  const reader = new Reader(tokensOf(text))
  const sections = new Map<string, readonly JaasModule[]>()
  while (!reader.done) {
    const name = reader.take('word', 'the name of a section')
    if (sections.has(name.text)) throw wrong(name.line, `section ${name.text} is there twice`)
    reader.take('{', '{')
    const modules: JaasModule[] = []
    while (!reader.at('}')) modules.push(readModule(reader))
    reader.take('}', '}')
    reader.take(';', '; behind a section')
    sections.set(name.text, modules)
  }
  return sections
}

function readModule(reader: Reader): JaasModule {
  const className = reader.take('word', 'the class of a login module').text
  const flag = reader.take('word', 'a control flag')
  if (!FLAGS.has(flag.text.toUpperCase())) {
    throw wrong(flag.line, 'a control flag is required, requisite, sufficient or optional')
  }
  const options = new Map<string, string>()
  while (!reader.at(';')) {
    const key = reader.take('word', 'an option, or ; behind the last').text
    reader.take('=', '= behind an option')
    const value = reader.take('word', `the value of ${key}`)
    if (/\$\{[^{]/.test(value.text)) {
      throw wrong(value.line, `the value of ${key} is a property of Java: write it out`)
    }
    options.set(key, value.text)
  }
  reader.take(';', ';')
  return { className, options }
}

class Reader {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  get done(): boolean {
    return this.#at === this.#tokens.length
  }

  at(kind: Token['kind']): boolean {
    return this.#tokens[this.#at]?.kind === kind
  }

  take(kind: Token['kind'], expected: string): Token {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw wrong(this.#tokens.at(-1)?.line ?? 1, `${expected} is missing`)
    // The value may be a password: it is not told.
    if (token.kind !== kind) throw wrong(token.line, `${expected} is expected`)
    this.#at += 1
    return token
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let line = 1
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  while (at < text.length) {
    const blank = match(BLANK)
    if (blank !== null) {
      line += blank[0].split('\n').length - 1
      continue
    }
    const sign = text[at]
    const quoted = match(QUOTED)
    const word = quoted === null ? match(WORD) : null
    if (quoted !== null) tokens.push({ kind: 'word', text: unescaped(quoted[1] ?? ''), line })
    else if (word !== null) tokens.push({ kind: 'word', text: word[0], line })
    else if (sign === '{' || sign === '}' || sign === '=' || sign === ';') {
      tokens.push({ kind: sign, text: sign, line })
      at += 1
    } else throw wrong(line, 'a value that is more than a word needs quotes, both of them')
  }
  return tokens
}

function unescaped(text: string): string {
  return text.replace(/\\([0-3]?[0-7]{1,2}|[\s\S])/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  )
}

function wrong(line: number, message: string): Error {
  return new Error(`line ${line}: ${message}`)
}

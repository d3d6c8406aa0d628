import { err } from '../operations.ts'
import { Taken } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'

/**
 * What a server showed, in tokens that can be compared: text as it is, and what each server counts in its
 * own way (zxids, session ids) as a value to be matched with the other's.
 */
export type Token =
  | string
  | { readonly kind: 'zxid'; readonly value: bigint }
  | { readonly kind: 'session'; readonly value: bigint }

export interface Observation {
  /** Of an event; what the end of a session deletes comes in any order under one zxid. */
  readonly eventZxid: bigint | null
  readonly tokens: readonly Token[]
}

const CLOCKS_APART_MS = 3_600_000

/** Reads a payload: `typeOf` tells the opcode that a reply with this xid answers. */
export function observe(payload: Buffer, typeOf: (xid: number) => number): Observation {
  try {
    return read(payload, typeOf)
  } catch {
    return { eventZxid: null, tokens: [`bytes of no known shape: ${payload.toString('hex')}`] }
  }
}

function read(payload: Buffer, typeOf: (xid: number) => number): Observation {
  const body = new Taken(payload)
  const xid = body.int()
  const zxid = body.long()
  const error = body.int()
  const type = xid === -1 ? 0 : typeOf(xid)
  const tokens: Token[] = [xid === -1 ? 'event' : `reply ${xid}`, zxidToken(zxid), `err ${error}`]
  if (xid === -1) tokens.push(`type ${body.int()}`, `state ${body.int()}`, text(body))
  else if (error === 0) tokens.push(...bodyTokens(type, body))
  // A wanted difference: see refusal-without-body in docs/compatibility.md.
  const begun = type === op.multiRead && error === err.marshalling
  if (body.left > 0 && !begun) tokens.push(`and ${body.left} bytes`)
  return { eventZxid: xid === -1 ? zxid : null, tokens }
}

function bodyTokens(type: number, body: Taken): Token[] {
  switch (type) {
    case op.create:
    case op.sync:
      return [text(body)]
    case op.create2:
    case op.createContainer:
    case op.createTtl:
      return [text(body), ...statTokens(body)]
    case op.exists:
    case op.setData:
    case op.setAcl:
      return statTokens(body)
    case op.getData:
    case op.reconfig: {
      const shown = data(body)
      const stat = statTokens(body)
      // The ports and the version of a configuration have lengths of their own.
      return [...shown, ...(shown.length === 1 ? stat : stat.filter((token) => !isLength(token)))]
    }
    case op.getAcl:
      return [JSON.stringify(body.acl()), ...statTokens(body)]
    case op.getChildren:
    case op.getEphemerals:
      return [names(body)]
    case op.getChildren2:
      return [names(body), ...statTokens(body)]
    case op.getAllChildrenNumber:
      return [`count ${body.int()}`]
    case op.sasl:
      return [challenge(body)]
    case op.addWatch:
      return [`error ${body.int()}`]
    case op.whoAmI:
      return [identities(body)]
    case op.multi:
    case op.multiRead:
      return resultTokens(body)
    default:
      return []
  }
}

function resultTokens(body: Taken): Token[] {
  const tokens: Token[] = []
  for (;;) {
    const type = body.int()
    const done = body.bool()
    tokens.push(`result ${type} ${done} ${body.int()}`)
    if (done) return tokens
    tokens.push(...(type === -1 ? [`error ${body.int()}`] : bodyTokens(type, body)))
  }
}

function zxidToken(value: bigint): Token {
  return value <= 0n ? `zxid ${value}` : { kind: 'zxid', value }
}

function statTokens(body: Taken): Token[] {
  const stat = body.stat()
  return [
    zxidToken(stat.czxid),
    zxidToken(stat.mzxid),
    zxidToken(stat.pzxid),
    timeToken('ctime', stat.ctime),
    timeToken('mtime', stat.mtime),
    `versions ${stat.version} ${stat.cversion} ${stat.aversion}`,
    { kind: 'session', value: stat.ephemeralOwner },
    `length ${stat.dataLength}`,
    `children ${stat.numChildren}`,
  ]
}

/** A token, but for what each server draws by lot. */
function challenge(body: Taken): string {
  return `token ${body.text()?.replace(/nonce="[^"]+"/, 'nonce')}`
}

function isLength(token: Token): boolean {
  return typeof token === 'string' && token.startsWith('length ')
}

function timeToken(name: string, value: bigint): string {
  const near = Math.abs(Date.now() - Number(value)) < CLOCKS_APART_MS
  return near ? name : `${name} ${value}`
}

function text(body: Taken): string {
  return JSON.stringify(textOf(body))
}

/** Text beyond the basic plane is a wanted difference: see surrogates in docs/compatibility.md. */
function textOf(body: Taken): string | null {
  const bytes = body.buffer()?.toString('latin1')
  if (bytes === undefined) return null
  const joined = bytes.replace(/\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]/g, (pair) => {
    const unit = (at: number) =>
      0xd000 | ((pair.charCodeAt(at) & 0x3f) << 6) | (pair.charCodeAt(at + 1) & 0x3f)
    return Buffer.from(String.fromCharCode(unit(1), unit(4))).toString('latin1')
  })
  return Buffer.from(joined, 'latin1').toString()
}

const CONFIG = /^(server\.\d+=.*\n)+version=([0-9a-f]+)$/

function data(body: Taken): Token[] {
  const bytes = body.buffer()
  if (bytes === null) return ['null']
  const [config, , version] = CONFIG.exec(bytes.toString()) ?? []
  if (config !== undefined) {
    // Each server of the run has ports of its own.
    const servers = config.replace(/:\d+:\d+:(\w+);(.*):\d+$/gm, ':P:P:$1;$2:P')
    return [servers.replace(/[^=]+$/, ''), zxidToken(BigInt(`0x${version}`))]
  }
  return [bytes.length > 48 ? `${bytes.length} bytes from ${bytes[0]}` : bytes.toString('hex')]
}

/** The protocol leaves the order open. */
function names(body: Taken): string {
  const count = body.int()
  if (count === -1) return 'null'
  return JSON.stringify(Array.from({ length: count }, () => textOf(body)).sort())
}

function identities(body: Taken): string {
  const list = Array.from({ length: body.int() }, () => `${body.text()}:${body.text()}`)
  return JSON.stringify(list.sort())
}

/** The answer to a connect request. */
export function observeHandshake(payload: Buffer): {
  readonly tokens: readonly Token[]
  readonly sessionId: bigint
  readonly password: Buffer
} {
  const body = new Taken(payload)
  const version = body.int()
  const timeoutMs = body.int()
  const sessionId = body.long()
  const password = body.buffer() ?? Buffer.alloc(0)
  const blank = password.equals(Buffer.alloc(password.length))
  const tokens: Token[] = [
    `version ${version} timeout ${timeoutMs} of ${payload.length} bytes`,
    { kind: 'session', value: sessionId },
    `password of ${password.length}${blank ? ' zeros' : ''}`,
    body.left > 0 ? `readOnly ${body.bool()}` : 'no readOnly',
  ]
  return { tokens, sessionId, password }
}

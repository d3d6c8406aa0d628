import type { Fields } from '../raw-bytes.ts'

/** What the bytes of a step may depend on, for each server its own. */
export interface StepContext {
  /** The znode that everything of a run is under. */
  readonly place: string
  /** A zxid that the server has shown: the nth last, 0 when there was none. */
  zxid(nthLast: number): bigint
}

/** The bytes of a request after its header, for one of the servers. */
export type BodyOf = (context: StepContext) => Fields

/** One request, as data: what it is, and how its bytes are made when it is sent. */
export interface Request {
  readonly type: number
  /** null takes the next number of the connection. */
  readonly xid: number | null
  readonly body: BodyOf
  /** Of the body, how many bytes are sent; null sends all. */
  readonly cutTo: number | null
  /** What a report prints. */
  readonly text: string
}

/** A session of the run: the nth last that was opened, by whichever connection. */
export interface Taken {
  readonly nthLast: number
  readonly wrongPassword: boolean
}

export interface Open {
  readonly kind: 'open'
  readonly slot: number
  readonly timeoutMs: number
  /** null leaves the byte of the read-only flag out. */
  readonly readOnly: boolean | null
  /** null asks for a new session. */
  readonly take: Taken | null
  readonly lastZxidSeen: 'none' | 'last' | 'ahead'
}

export interface Expire {
  readonly kind: 'expire'
  readonly requests: readonly Request[]
  /** Whether its connection goes at once, or stays and is silent. */
  readonly cut: boolean
}

/**
 * One step of a run. A slot is a place for one connection; a step on a slot without one opens a new
 * session first, so that any step can be left out and the rest still means something.
 */
export type Step =
  | Open
  /** Requests that are sent in one write; each is answered, none ends the connection. */
  | { readonly kind: 'requests'; readonly slot: number; readonly requests: readonly Request[] }
  /** One request after which the connection may be gone. */
  | { readonly kind: 'doubtful'; readonly slot: number; readonly request: Request }
  /** Bytes that are no request. */
  | {
      readonly kind: 'bytes'
      readonly slot: number
      readonly bytes: Uint8Array
      readonly text: string
    }
  /** The socket is cut, after a part of a frame perhaps; the session lives on. */
  | { readonly kind: 'cut'; readonly slot: number; readonly partOfFrame: boolean }
  /** Bytes in place of a connect request, on a connection of their own. */
  | { readonly kind: 'greeting'; readonly bytes: Uint8Array; readonly text: string }
  /** A session of its own that nobody hears of any more once it was answered, until it expires. */
  | Expire
  /** What was due to be removed with its last child, or at its time, is gone. */
  | { readonly kind: 'reap' }
  /** A ping on every connection, for the events that have come. */
  | { readonly kind: 'settle' }

/** What a report prints of a step. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'open': {
      const { take } = step
      const session =
        take === null
          ? 'a new session'
          : `session ${take.nthLast} back${take.wrongPassword ? ', wrong password' : ''}`
      return `${step.slot}: open ${session} timeout=${step.timeoutMs} readOnly=${step.readOnly} seen=${step.lastZxidSeen}`
    }
    case 'requests':
      return `${step.slot}: ${step.requests.map(describeRequest).join(' | ')}`
    case 'doubtful':
      return `${step.slot}: ${describeRequest(step.request)} (doubtful)`
    case 'bytes':
      return `${step.slot}: ${step.text}`
    case 'cut':
      return `${step.slot}: cut${step.partOfFrame ? ' inside a frame' : ''}`
    case 'greeting':
      return `a connection greets with ${step.text}`
    case 'expire': {
      const requests = step.requests.map(describeRequest).join(' | ')
      return `a session${step.cut ? ', cut,' : ''} expires after ${requests}`
    }
    case 'reap':
    case 'settle':
      return step.kind
  }
}

function describeRequest({ text, xid, cutTo }: Request): string {
  const number = xid === null ? '' : ` xid=${xid}`
  return `${text}${number}${cutTo === null ? '' : ` cut to ${cutTo} bytes`}`
}

/** How many of the operations of a campaign a step is. */
export function operationsOf(step: Step): number {
  if (step.kind === 'requests') return step.requests.length
  return step.kind === 'settle' || step.kind === 'reap' ? 0 : 1
}

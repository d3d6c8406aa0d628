/**
 * What the relay must know of ZooKeeper frames. The client library ends its process on an error code
 * or an event type that it does not know, so neither ever reaches it.
 */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  0, -1, -2, -3, -4, -5, -6, -7, -8, -100, -101, -102, -103, -108, -110, -111, -112, -113, -114,
  -115,
])
const SYSTEM_ERROR = -1
const OPERATION_TIMEOUT = -7
const BAD_ARGUMENTS = -8
const SESSION_MOVED = -118
const QUOTA_EXCEEDED = -125
const THROTTLED = -127

const NOTIFICATION = -1
const LAST_KNOWN_EVENT = 4

/** xid, zxid, err: the head of every reply. */
const HEADER_BYTES = 16

export type RelayedFrame =
  /** Pass it on; `xid` names the request that it proves to have arrived. */
  | { readonly kind: 'reply'; readonly xid: number; readonly frame: Uint8Array }
  | { readonly kind: 'event'; readonly frame: Uint8Array }
  /** The client could not take it and needs not have it. */
  | { readonly kind: 'drop' }
  /** The connection must end: the client would go on with a session that moved, or with garbage. */
  | { readonly kind: 'cut'; readonly reason: string }

/** Reads a frame of a server after the handshake and makes it safe for the client library. */
export function relayed(frame: Uint8Array): RelayedFrame {
  if (frame.length < HEADER_BYTES) return { kind: 'cut', reason: 'a reply without a header' }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const xid = view.getInt32(0)
  if (xid === NOTIFICATION) {
    const known = frame.length >= HEADER_BYTES + 4 && isKnownEvent(view.getInt32(HEADER_BYTES))
    return known ? { kind: 'event', frame } : { kind: 'drop' }
  }
  const code = view.getInt32(12)
  if (KNOWN_CODES.has(code)) return { kind: 'reply', xid, frame }
  if (code === SESSION_MOVED) return { kind: 'cut', reason: 'the session moved' }
  // A copy by construction: the slice of a subclass may share its memory.
  const mapped = new Uint8Array(frame)
  new DataView(mapped.buffer).setInt32(12, substituteOf(code))
  return { kind: 'reply', xid, frame: mapped }
}

/** -1 is "none": a change of the connection, which the library takes. */
function isKnownEvent(type: number): boolean {
  return type === -1 || (type >= 1 && type <= LAST_KNOWN_EVENT)
}

function substituteOf(code: number): number {
  if (code === THROTTLED) return OPERATION_TIMEOUT
  return code === QUOTA_EXCEEDED ? BAD_ARGUMENTS : SYSTEM_ERROR
}

/** The xid of a request of the client after its handshake; null for a frame without one. */
export function requestXid(frame: Uint8Array): number | null {
  if (frame.length < 8) return null
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getInt32(0)
}

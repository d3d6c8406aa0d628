import type { JuteWriter } from './jute.ts'
import { JuteReader } from './jute.ts'

/** What a client sends first (no header; reference B4, Handshake). */
export interface ConnectRequest {
  readonly protocolVersion: number
  /** The newest zxid the client saw; clamped to the safe integers, which keeps its order. */
  readonly lastZxidSeen: number
  readonly timeoutMs: number
  /** 0: a new session. Decoded, -1 stands for every id that no server of ours can have given out. */
  readonly sessionId: number | bigint
  readonly password: Uint8Array
  /** Null: the client sent no such byte (44-byte body) and must get none back. */
  readonly readOnly: boolean | null
}

/** A decoded request: the session id is a number, -1 when it is beyond the safe integers. */
export interface DecodedConnectRequest extends ConnectRequest {
  readonly sessionId: number
}

/** The server's answer; a session that is gone is answered with all zeros. */
export interface ConnectResponse {
  readonly protocolVersion: number
  /** Negotiated; 0: the session has expired. */
  readonly timeoutMs: number
  /** A bigint only when it comes from another server and is beyond the safe integers. */
  readonly sessionId: number | bigint
  readonly password: Uint8Array
  /** Null: not written, because the client sent none. */
  readonly readOnly: boolean | null
}

export const PASSWORD_BYTES = 16
const ZERO_PASSWORD = new Uint8Array(PASSWORD_BYTES)

/** Decodes the first frame, or null when it is no ConnectRequest. The password is a view into it. */
export function decodeConnectRequest(frame: Uint8Array): DecodedConnectRequest | null {
  const reader = new JuteReader(frame)
  const request = {
    protocolVersion: reader.int(),
    lastZxidSeen: reader.longClamped(),
    timeoutMs: reader.int(),
    sessionId: reader.longOr(-1),
    password: reader.buffer() ?? ZERO_PASSWORD,
    readOnly: reader.remaining > 0 ? reader.boolean() : null,
  }
  return reader.failed ? null : request
}

/** Appends the request as a length-prefixed frame. */
export function encodeConnectRequest(writer: JuteWriter, request: ConnectRequest): void {
  const frame = writer.beginFrame()
  writer.int(request.protocolVersion)
  writer.long(request.lastZxidSeen)
  writer.int(request.timeoutMs)
  writeSessionId(writer, request.sessionId)
  writer.buffer(request.password)
  if (request.readOnly !== null) writer.boolean(request.readOnly)
  writer.endFrame(frame)
}

/** Appends the response as a length-prefixed frame: 36 bytes, 37 with the readOnly byte. */
export function encodeConnectResponse(writer: JuteWriter, response: ConnectResponse): void {
  const frame = writer.beginFrame()
  writer.int(response.protocolVersion)
  writer.int(response.timeoutMs)
  writeSessionId(writer, response.sessionId)
  writer.buffer(response.password)
  if (response.readOnly !== null) writer.boolean(response.readOnly)
  writer.endFrame(frame)
}

/**
 * Appends the answer for a session that is gone or whose password is wrong. `readOnly`: whether the server
 * is in that mode; null for a client that must get no such byte.
 */
export function encodeSessionExpired(writer: JuteWriter, readOnly: boolean | null): void {
  encodeConnectResponse(writer, {
    protocolVersion: 0,
    timeoutMs: 0,
    sessionId: 0,
    password: ZERO_PASSWORD,
    readOnly,
  })
}

/** Decodes the server's first frame, or null when it is none. The password is a view into it. */
export function decodeConnectResponse(frame: Uint8Array): ConnectResponse | null {
  const reader = new JuteReader(frame)
  const response = {
    protocolVersion: reader.int(),
    timeoutMs: reader.int(),
    sessionId: reader.longOrBig(),
    password: reader.buffer() ?? ZERO_PASSWORD,
    readOnly: reader.remaining > 0 ? reader.boolean() : null,
  }
  return reader.failed ? null : response
}

function writeSessionId(writer: JuteWriter, id: number | bigint): void {
  if (typeof id === 'bigint') writer.bigLong(id)
  else writer.long(id)
}

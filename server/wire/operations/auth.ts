import type { JuteReader, JuteWriter } from '../jute.ts'

export interface Auth {
  readonly scheme: string
  readonly auth: Uint8Array | null
}

/**
 * Body of auth (100): an unused int, the scheme (null is empty), the credential, a view into the
 * input. The reply has no body.
 */
export function readAuth(reader: JuteReader): Auth {
  reader.int()
  const scheme = reader.ustring() ?? ''
  return { scheme, auth: reader.buffer() }
}

export function writeAuth(writer: JuteWriter, auth: Auth): void {
  writer.int(0)
  writer.ustring(auth.scheme)
  writer.buffer(auth.auth)
}

import type { JuteReader, JuteWriter } from '../jute.ts'

export interface Auth {
  readonly scheme: string
  readonly auth: Uint8Array
}

const NOTHING = new Uint8Array(0)

/**
 * Body of auth (100): an unused int, the scheme, the credential. Nulls are read as empty. The
 * credential is a view into the input. The reply has no body.
 */
export function readAuth(reader: JuteReader): Auth {
  reader.int()
  const scheme = reader.ustring() ?? ''
  return { scheme, auth: reader.buffer() ?? NOTHING }
}

export function writeAuth(writer: JuteWriter, auth: Auth): void {
  writer.int(0)
  writer.ustring(auth.scheme)
  writer.buffer(auth.auth)
}

import type { JuteReader, JuteWriter } from '../jute.ts'

/** Body of sasl (102), and of its reply: a token, or null. A view into the input. */
export function readSasl(reader: JuteReader): Uint8Array | null {
  return reader.buffer()
}

export function writeSasl(writer: JuteWriter, token: Uint8Array | null): void {
  writer.buffer(token)
}

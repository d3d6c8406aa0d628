/** Bytes of hex digits; blanks between them are for the reader. */
export function fromHex(hex: string): Uint8Array {
  const digits = hex.replace(/\s+/g, '')
  if (digits.length % 2 !== 0) throw new Error(`an odd number of hex digits: ${digits}`)
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The payload with its length before it. */
export function framed(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + payload.length)
  new DataView(frame.buffer).setInt32(0, payload.length)
  frame.set(payload, 4)
  return frame
}

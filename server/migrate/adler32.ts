const MODULUS = 65_521
/** So many bytes may be summed before the sums leave 32 bits (zlib's NMAX). */
const RUN_BYTES = 5_552

/** Adler-32 of `bytes`, going on from the checksum of what came before them (1 at the beginning). */
export function adler32(bytes: Uint8Array, start = 1): number {
  let low = start & 0xffff
  let high = start >>> 16
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + RUN_BYTES, bytes.length)
    for (; at < end; at += 1) {
      low += bytes[at] ?? 0
      high += low
    }
    low %= MODULUS
    high %= MODULUS
  }
  return high * 0x1_0000 + low
}

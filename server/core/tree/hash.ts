/** Mixes for the digest: fast, well spread, no defence against an adversary. */

export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return finish(hash)
}

export function hashBytes(bytes: Uint8Array | null): number {
  if (bytes === null) return 0x5bd1e995
  let hash = 0x811c9dc5 ^ bytes.length
  for (let i = 0; i < bytes.length; i += 1) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return finish(hash)
}

/** Takes a safe integer into a hash. */
export function mix(hash: number, value: number): number {
  const low = value | 0
  const high = Math.floor(value / 0x1_0000_0000) | 0
  const first = Math.imul(hash ^ low, 0x85ebca6b)
  return finish(Math.imul((first ^ (first >>> 13)) + high, 0xc2b2ae35))
}

function finish(hash: number): number {
  const a = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return (b ^ (b >>> 16)) | 0
}

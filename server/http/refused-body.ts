import type { Readable } from 'node:stream'

export interface RefusedBodyLimits {
  readonly bytesMax: number
  readonly msMax: number
}

/**
 * Reads and drops what is left of a body that was refused. A socket that is closed with bytes
 * unread is reset, and a client that sends all before it reads would then lose the answer to the
 * reset. Resolves when the body has ended, when its client has gone, or when a bound is reached;
 * at once for a body that announces more than `bytesMax` (`length`, NaN if it announces nothing).
 */
export function discardBody(
  body: Readable,
  length: number,
  limits: RefusedBodyLimits,
): Promise<void> {
  if (body.readableEnded || body.destroyed || length > limits.bytesMax) return Promise.resolve()
  return new Promise((resolve) => {
    let bytes = 0
    const done = () => {
      clearTimeout(timer)
      body.off('data', count).off('end', done).off('close', done).off('error', done)
      resolve()
    }
    const count = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > limits.bytesMax) done()
    }
    const timer = setTimeout(done, limits.msMax)
    body.on('data', count).on('end', done).on('close', done).on('error', done)
    body.resume()
  })
}

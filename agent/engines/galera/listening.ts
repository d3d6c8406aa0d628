import { connect } from 'node:net'

/** True as soon as one of the places (host:port) takes a connection; false when none has in time. */
export async function someListens(places: readonly string[], timeoutMs: number): Promise<boolean> {
  const asked = places.map(async (place) => {
    if (await listens(place, timeoutMs)) return true
    throw new Error(`${place} does not listen`)
  })
  return await Promise.any(asked).catch(() => false)
}

function listens(place: string, timeoutMs: number): Promise<boolean> {
  const colon = place.lastIndexOf(':')
  const socket = connect({
    host: place.slice(0, colon).replace(/^\[(.*)\]$/, '$1'),
    port: Number(place.slice(colon + 1)),
  })
  return new Promise((resolve) => {
    const end = (found: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(found)
    }
    // Names are looked up before a socket's own timeout begins.
    const timer = setTimeout(() => end(false), timeoutMs)
    socket.once('connect', () => end(true))
    socket.on('error', () => end(false))
  })
}

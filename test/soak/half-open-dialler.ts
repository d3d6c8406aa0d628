import { connect, type Socket } from 'node:net'

/** What a parent process orders. */
export interface DialOrder {
  readonly port: number
  readonly connections: number
  /** In hex: what each connection sends of a handshake, and no more. */
  readonly first: string
}

/** What it is told, a few times a second and at each end. */
export interface DialFigures {
  readonly open: number
  readonly openMost: number
  /** Refused, or reset before they were open. */
  readonly failed: number
  /** Ended by the server. */
  readonly ended: number
}

/** More would only wait in the server's backlog. */
const DIALLED_AT_ONCE = 200
const REPORT_MS = 200

process.on('message', ({ port, connections, first }: DialOrder) => {
  const bytes = Buffer.from(first, 'hex')
  const figures = { open: 0, openMost: 0, failed: 0, ended: 0 }
  let begun = 0
  const dial = () => {
    if (begun === connections) return
    begun += 1
    const socket: Socket = connect(port, '127.0.0.1')
    let open = false
    socket.on('connect', () => {
      open = true
      figures.open += 1
      figures.openMost = Math.max(figures.openMost, figures.open)
      if (bytes.length > 0) socket.write(bytes)
      dial()
    })
    socket.resume()
    // A reset is one of the ways a server closes; 'close' follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      if (open) {
        figures.open -= 1
        figures.ended += 1
        return
      }
      figures.failed += 1
      dial()
    })
  }
  for (let n = 0; n < DIALLED_AT_ONCE; n += 1) dial()
  const timer = setInterval(() => {
    process.send?.({ ...figures } satisfies DialFigures)
    if (figures.failed + figures.ended === connections) clearInterval(timer)
  }, REPORT_MS)
})
process.on('disconnect', () => process.exit())

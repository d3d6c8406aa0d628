import { connect, type Socket } from 'node:net'
import { Fields, frame, Taken } from '../conformance/raw-bytes.ts'
import { connectRequest, op } from '../conformance/raw-client.ts'

/** What a parent process orders; sessions are spread over the ports. */
export type StormOrder =
  /** New sessions, all at once. */
  | { readonly kind: 'open'; readonly ports: readonly number[]; readonly sessions: number }
  /** Every connection ends, no session does. */
  | { readonly kind: 'cut' }
  /** All sessions are taken up again at once, each on the port behind the one it was on. */
  | { readonly kind: 'return' }
  | { readonly kind: 'close' }

/** What it is told when the order is carried out. */
export interface StormReport {
  readonly sessions: number
  /** Until all had their session. */
  readonly tookMs: number
  /** Were told that they expired. */
  readonly lost: number
  /** Handshakes that were closed without an answer, and begun again. */
  readonly retries: number
}

const TIMEOUT_MS = 40_000
const RETRY_MS = 50
/** Of a port: more would only wait in the server's backlog, where some are forgotten for a second. */
const DIALLED_AT_ONCE = 200

interface Client {
  port: number
  sessionId: bigint
  password: Uint8Array
  socket: Socket | null
}

let ports: readonly number[] = []
let clients: Client[] = []

/** One handshake; null: closed without an answer. `begun` is called when the socket is open or gone. */
function shakeHands(client: Client, begun: () => void): Promise<Taken | null> {
  return new Promise((resolve) => {
    const socket = connect(client.port, '127.0.0.1')
    client.socket = socket
    let received: Buffer = Buffer.alloc(0)
    socket.setNoDelay(true)
    socket.on('connect', () => {
      begun()
      const { sessionId, password } = client
      socket.write(connectRequest({ timeoutMs: TIMEOUT_MS, sessionId, password }))
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        resolve(new Taken(received.subarray(4)))
      }
    })
    // A reset is one of the ways a server closes; 'close' follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      begun()
      resolve(null)
    })
  })
}

/** All clients come to their session; those of a port are dialled so many at once. */
async function storm(): Promise<StormReport> {
  const startedAtMs = performance.now()
  const counts = { lost: 0, retries: 0 }
  const one = async (client: Client, begun: () => void): Promise<void> => {
    for (;;) {
      const answer = await shakeHands(client, begun)
      if (answer !== null) {
        answer.int()
        if (answer.int() === 0) counts.lost += 1
        client.sessionId = answer.long()
        client.password = answer.buffer() ?? new Uint8Array(16)
        return
      }
      counts.retries += 1
      client.port = behind(client.port)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
  await Promise.all(
    ports.map(async (port) => {
      const waiting = clients.filter((client) => client.port === port)
      const ended: Promise<void>[] = []
      await new Promise<void>((allBegun) => {
        const next = () => {
          const client = waiting.shift()
          if (client === undefined) return allBegun()
          let first = true
          const begun = () => {
            if (first) next()
            first = false
          }
          ended.push(one(client, begun))
        }
        for (let n = 0; n < DIALLED_AT_ONCE; n += 1) next()
      })
      await Promise.all(ended)
    }),
  )
  return {
    sessions: clients.length,
    tookMs: Math.round(performance.now() - startedAtMs),
    ...counts,
  }
}

function behind(port: number): number {
  return ports[(ports.indexOf(port) + 1) % ports.length] ?? port
}

/** Each connection ends; `farewell` is said before. */
async function endAll(farewell: Uint8Array | null): Promise<StormReport> {
  const startedAtMs = performance.now()
  await Promise.all(
    clients.map(
      ({ socket }) =>
        new Promise<void>((resolve) => {
          if (socket === null || socket.closed) return resolve()
          socket.on('close', () => resolve())
          if (farewell === null) socket.destroy()
          else socket.write(farewell)
        }),
    ),
  )
  const tookMs = Math.round(performance.now() - startedAtMs)
  return { sessions: clients.length, tookMs, lost: 0, retries: 0 }
}

function carryOut(order: StormOrder): Promise<StormReport> {
  switch (order.kind) {
    case 'open':
      ports = order.ports
      clients = Array.from({ length: order.sessions }, (_, n) => ({
        port: ports[n % ports.length] ?? 0,
        sessionId: 0n,
        password: new Uint8Array(16),
        socket: null,
      }))
      return storm()
    case 'cut':
      return endAll(null)
    case 'return':
      for (const client of clients) client.port = behind(client.port)
      return storm()
    case 'close':
      return endAll(frame(new Fields().int(1).int(op.close).bytes()))
  }
}

process.on('message', async (order: StormOrder) => {
  process.send?.(await carryOut(order))
})
process.on('disconnect', () => process.exit())

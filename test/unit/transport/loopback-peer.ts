import type { Server, Socket } from 'node:net'
import { TcpTransport, type TcpTransportOptions } from '../../../server/transport/tcp-transport.ts'
import type { Hello, PeerFrame } from '../../../server/wire/peer-frame.ts'
import { reservePorts } from '../../support/ports.ts'

/** A transport and what it told its owner. */
export interface Peer {
  readonly transport: TcpTransport
  readonly address: string
  readonly frames: { readonly from: string; readonly frame: PeerFrame }[]
  readonly ups: Hello[]
  readonly downs: string[]
  readonly logged: string[]
}

const running: TcpTransport[] = []
/** What a test has opened itself, to be closed with the peers. */
export const servers: Server[] = []
export const sockets: Socket[] = []

/** Closes all that the test has started. */
export async function closeAll(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
  await Promise.all(running.splice(0).map(closed))
}

/** Closes one peer before the end of the test. */
export async function stop({ transport }: Peer): Promise<void> {
  running.splice(running.indexOf(transport), 1)
  await closed(transport)
}

const closed = (transport: TcpTransport) => new Promise<void>((done) => transport.close(done))

export async function start(
  name: string,
  port: number,
  options: Partial<TcpTransportOptions> = {},
): Promise<Peer> {
  const frames: Peer['frames'] = []
  const ups: Hello[] = []
  const downs: string[] = []
  const logged: string[] = []
  const address = `127.0.0.1:${port}`
  const transport = new TcpTransport(
    {
      listenHost: '127.0.0.1',
      listenPort: port,
      secret: 'the secret',
      frameBytesMax: 1024 * 1024,
      queueBytesMax: 1024 * 1024,
      dialTimeoutMs: 5_000,
      handshakeTimeoutMs: 5_000,
      keepaliveMs: 500,
      silenceMsMax: 30_000,
      retryMsMin: 10,
      retryMsMax: 40,
      connectRetries: 3,
      tls: null,
      random: () => 0.5,
      log: (_level, message) => void logged.push(message),
      ...options,
    },
    {
      frame: (from, frame) => void frames.push({ from, frame }),
      linkUp: (hello) => void ups.push(hello),
      linkDown: (peer) => void downs.push(peer),
    },
    helloOf(name, address),
  )
  running.push(transport)
  await transport.listen()
  return { transport, address, frames, ups, downs, logged }
}

export function helloOf(name: string, address: string): Hello {
  return {
    name,
    id: `id-${name}`,
    clusterId: '',
    peerAddress: address,
    clientAddress: '',
    httpAddress: '',
    observer: false,
    versionMax: 1,
  }
}

export async function pair(
  options: Partial<TcpTransportOptions> = {},
): Promise<readonly [Peer, Peer]> {
  const [left = 0, right = 0] = await reservePorts(2)
  const a = await start('a', left, options)
  const b = await start('b', right, options)
  return [a, b]
}

export const numbered = (sequence: number): PeerFrame => ({ kind: 'touchReply', term: 1, sequence })
export const sequences = (peer: Peer) =>
  peer.frames.map(({ frame }) => (frame.kind === 'touchReply' ? frame.sequence : -1))
export const chunk = (bytes: number): PeerFrame => ({
  kind: 'forward',
  term: 1,
  stream: 1,
  sequence: 1,
  count: 1,
  requests: new Uint8Array(bytes),
})

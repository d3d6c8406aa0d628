import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createSecureServer, type TlsOptions } from 'node:tls'
import { KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'

/** What ApiVersions is answered with, as far as it is read. */
export const alive = new KafkaWriter().int16(0).finish()

/** A double of a broker: what is done with each request that arrives. */
export class FakeBroker {
  readonly #server: Server
  readonly sockets: Socket[] = []
  readonly keys: number[] = []
  answer: (socket: Socket, id: number, key: number) => void = () => {}

  constructor(tls: TlsOptions | null = null) {
    const serve = (socket: Socket) => {
      this.sockets.push(socket)
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        for (let at = 0; at < chunk.length; at += 4 + chunk.readInt32BE(at)) {
          const key = chunk.readInt16BE(at + 4)
          this.keys.push(key)
          this.answer(socket, chunk.readInt32BE(at + 8), key)
        }
      })
    }
    this.#server = tls === null ? createServer(serve) : createSecureServer(tls, serve)
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    return typeof address === 'object' ? (address?.port ?? 0) : 0
  }

  close(): void {
    this.#server.close()
    for (const socket of this.sockets) socket.destroy()
  }
}

/** An answer with its length; `flexible` headers have tagged fields. */
export function framed(id: number, flexible: boolean, body: Buffer): Buffer {
  const header = new KafkaWriter().int32(id)
  if (flexible) header.end()
  const bytes = Buffer.concat([header.finish(), body])
  return Buffer.concat([new KafkaWriter().int32(bytes.length).finish(), bytes])
}

import { createHash } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { encodePacket, PacketReader } from '../../../../agent/engines/galera/mariadb-wire.ts'

const SALT = Buffer.from('abcdefghijklmnopqrst')
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0])
const END = Buffer.from([0xfe, 0, 0, 2, 0])

type Answer =
  | readonly (readonly (string | null)[])[]
  | { readonly code: number; readonly text: string }

/**
 * A double of the part of MariaDB that its protocol's client side here is tested with: the greeting, a login, and
 * answers to questions as the test has them. The real server is in test/e2e/galera.test.ts.
 */
export class MariadbDouble {
  readonly asked: string[] = []
  answers: (text: string) => Answer = () => []
  /** Connections are taken, and nothing is said. */
  mute = false
  /** The server asks for the password once more, with another salt. */
  switches = false
  readonly #password: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(password: string) {
    this.#password = password
    this.#server = createServer((socket) => this.#serve(socket))
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(path, resolve))
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  /** Ends all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    if (this.mute) return
    socket.write(encodePacket(0, greeting()))
    const reader = new PacketReader(1_000_000)
    let isKnown = false
    let salt = SALT
    socket.on('data', (chunk) => {
      for (const { sequence, bytes } of reader.read(chunk)) {
        if (isKnown) this.#answer(socket, bytes)
        else if (this.switches && salt === SALT) {
          salt = Buffer.from(SALT).reverse()
          const name = Buffer.from('\xfemysql_native_password\0', 'latin1')
          socket.write(encodePacket(sequence + 1, Buffer.concat([name, salt, Buffer.from([0])])))
        } else {
          isKnown = bytes.includes(proofOf(this.#password, salt))
          const packet = isKnown ? OK : refusal(1_045, 'Access denied')
          socket.write(encodePacket(sequence + 1, packet))
        }
      }
    })
  }

  #answer(socket: Socket, bytes: Buffer): void {
    const text = bytes[0] === 3 ? bytes.toString('utf8', 1) : `command ${bytes[0]}`
    this.asked.push(text)
    const answer = this.answers(text)
    if ('code' in answer) {
      socket.write(encodePacket(1, refusal(answer.code, answer.text)))
      return
    }
    const [first] = answer
    if (first === undefined) {
      socket.write(encodePacket(1, OK))
      return
    }
    const columns = first.map(() => Buffer.from('column'))
    const packets = [Buffer.from([first.length]), ...columns, END, ...answer.map(row), END]
    // In one piece, and in the smallest.
    const all = Buffer.concat(packets.map((packet, i) => encodePacket(i + 1, packet)))
    socket.write(all.subarray(0, 3))
    socket.write(all.subarray(3))
  }
}

function row(fields: readonly (string | null)[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if (field === null) return Buffer.from([0xfb])
      const bytes = Buffer.from(field)
      if (bytes.length < 0xfb) return Buffer.concat([Buffer.from([bytes.length]), bytes])
      return Buffer.concat([Buffer.from([0xfc, bytes.length & 0xff, bytes.length >> 8]), bytes])
    }),
  )
}

function greeting(): Buffer {
  return Buffer.concat([
    Buffer.from('\x0a5.5.5-10.11.19-MariaDB\0', 'latin1'),
    Buffer.from([1, 0, 0, 0]),
    SALT.subarray(0, 8),
    Buffer.alloc(1 + 2 + 1 + 2 + 2 + 1 + 10),
    SALT.subarray(8),
    Buffer.from('\0mysql_native_password\0'),
  ])
}

function refusal(code: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([0xff, code & 0xff, code >> 8]), Buffer.from(`#HY000${text}`)])
}

function proofOf(password: string, salt: Buffer): Buffer {
  const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest()
  const once = sha1(Buffer.from(password))
  const mask = sha1(Buffer.concat([salt, sha1(once)]))
  return Buffer.from(once.map((byte, i) => byte ^ (mask[i] ?? 0)))
}

import { create, createBody, exists, flag, pathBody, remove } from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op, RawClient } from '../raw-client.ts'
import type { Request } from './steps.ts'

const WITHIN_MS = 20_000
/** As many as a znode under two others takes, with one more for a look that had begun. */
const LOOKS = 4
const DELETED = 2

/** A session beside the compared ones, to see when a server has done what it does by itself. */
export class Witness {
  readonly #port: number
  readonly #place: string
  #client: RawClient | null = null
  #markers = 0

  constructor(port: number, place: string) {
    this.#port = port
    this.#place = place
  }

  /** A path that this session will see created and deleted. */
  async watchedMarker(): Promise<string> {
    const client = await this.#connected()
    this.#markers += 1
    const marker = `${this.#place}-marker-${this.#markers}`
    await client.request(op.addWatch, new Fields().text(marker).int(0))
    return marker
  }

  /** The zxid at which a marker went. */
  async deleted(marker: string): Promise<bigint> {
    const client = await this.#connected()
    for (;;) {
      const event = await client.event(WITHIN_MS)
      if (event.type !== DELETED || event.path !== marker) continue
      // Apache ZooKeeper tells of it before it is through with that session.
      await this.zxid()
      return event.zxid
    }
  }

  /** A container that becomes due goes with the next look; what was due before it has gone as well. */
  async reaped(): Promise<void> {
    const client = await this.#connected()
    for (let look = 0; look < LOOKS; look += 1) {
      const path = `${this.#place}-due`
      await client.request(op.createContainer, createBody(path, '', { flags: flag.container }))
      await create(client, `${path}/a`)
      await remove(client, `${path}/a`)
      const deadline = performance.now() + WITHIN_MS
      // Asked without a pause: it goes within milliseconds.
      while ((await exists(client, path)).stat !== null) {
        if (performance.now() > deadline) throw new Error(`${path} does not go`)
      }
    }
    // A look that met it before it was gone asks for its removal once more, in vain, for a zxid: what was
    // asked for by now is done behind a sync.
    await client.request(op.sync, pathBody('/'))
  }

  async zxid(): Promise<bigint> {
    return (await exists(await this.#connected(), '/')).zxid
  }

  async end(): Promise<void> {
    await this.#client?.close()
  }

  async #connected(): Promise<RawClient> {
    this.#client ??= await RawClient.connect(this.#port, { timeoutMs: 120_000 })
    return this.#client
  }
}

/** The creation of a marker by the session that it shall go with. */
export function markerRequest(marker: string): Request {
  return {
    type: op.create,
    xid: null,
    body: () => createBody(marker, '', { flags: flag.ephemeral }),
    cutTo: null,
    text: 'create a marker',
  }
}

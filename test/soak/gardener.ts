import { create, dataBody, err, getChildren } from '../conformance/operations.ts'
import { Fields } from '../conformance/raw-bytes.ts'
import { op, RawClient } from '../conformance/raw-client.ts'
import { LARGE_BYTES, LARGE_PATH, PLACES } from './frame-pool.ts'

const ROUND_EVERY_MS = 2_000
const READ_ONLY = [{ perms: 1, scheme: 'world', id: 'anyone' }]
/** All but ADMIN. */
const WORKED_ON = [{ perms: 15, scheme: 'world', id: 'anyone' }]

/**
 * Lays out the ground that the flood is let loose on and, as superuser, clears it again and again, so
 * that what grows in the server is not the tree.
 */
export class Gardener {
  readonly #client: RawClient
  readonly #kept: ReadonlySet<string>
  readonly #ended: Promise<void>
  #over = false
  #failure: unknown = null
  #deleted = 0

  private constructor(client: RawClient, kept: ReadonlySet<string>) {
    this.#client = client
    this.#kept = kept
    this.#ended = this.#work()
  }

  /** `proof` is the superuser's; `kept` are znodes of others that stay. */
  static async start(port: number, proof: string, kept: readonly string[]): Promise<Gardener> {
    const client = await RawClient.connect(port)
    const auth = new Fields().int(0).text('digest').text(proof)
    if ((await client.code(op.auth, auth, -4)) !== err.ok) throw new Error('no superuser')
    await create(client, '/flood', '', { acl: READ_ONLY })
    await create(client, LARGE_PATH, '', { acl: READ_ONLY })
    await client.request(op.setData, dataBody(LARGE_PATH, Buffer.alloc(LARGE_BYTES)))
    for (const place of PLACES) await create(client, place, '', { acl: WORKED_ON })
    const own = ['/zookeeper', '/flood', LARGE_PATH, ...PLACES]
    return new Gardener(client, new Set([...own, ...kept]))
  }

  /** Throws when the gardener was refused anything. */
  get deleted(): number {
    if (this.#failure !== null) throw this.#failure
    return this.#deleted
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#ended
    await this.#clear('/')
    await this.#client.close()
  }

  async #work(): Promise<void> {
    try {
      while (!this.#over) {
        await this.#clear('/')
        await new Promise((resolve) => setTimeout(resolve, ROUND_EVERY_MS))
      }
    } catch (error) {
      this.#failure = error
    }
  }

  /** Deletes what is below `path`, and `path` unless it is to stay. */
  async #clear(path: string): Promise<void> {
    const listed = await getChildren(this.#client, path)
    // Somebody else may have deleted it.
    const below = listed.children ?? []
    for (const name of below) {
      const child = path === '/' ? `/${name}` : `${path}/${name ?? ''}`
      if (child !== '/zookeeper') await this.#clear(child)
    }
    if (path === '/' || this.#kept.has(path)) return
    const code = await this.#client.code(op.delete, new Fields().text(path).int(-1))
    if (code === err.ok) this.#deleted += 1
    else if (code !== err.noNode && code !== err.notEmpty) {
      throw new Error(`${path} cannot be deleted: ${code}`)
    }
  }
}

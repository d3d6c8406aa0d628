import * as Type from 'typebox'
import { Value } from 'typebox/value'
import type { Coordination } from '../../coordination/coordination.ts'

const MemberDocument = Type.Object({
  id: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' }),
  enabled: Type.Boolean(),
  shard: Type.Integer({ minimum: 0 }),
  /** What a name or an address is made of: it stands in configurations as it is. */
  serviceEndpoint: Type.Object({
    host: Type.String({ pattern: '^[A-Za-z0-9.:_-]{1,253}$' }),
    port: Type.Union([Type.Integer({ minimum: 1, maximum: 65_535 }), Type.Null()]),
  }),
  payload: Type.Object({ role: Type.String() }),
})

export interface ListedMember {
  readonly pod: string
  readonly ordinal: number
  readonly host: string
  /** Null: it has none for clients. */
  readonly port: number | null
  /** Clients may use it. */
  readonly usable: boolean
  readonly role: string
}

export interface DirectoryOptions {
  readonly coordination: Coordination
  /** Of the documents of one cluster. */
  readonly path: string
  readonly everyMs: number
  /** What was read longer ago counts for nothing. */
  readonly freshMs: number
  /** This one: of two that say they lead it may be the one that has yet to hear of the other. */
  readonly pod: string
  readonly nowMs: () => number
}

/** The members of a cluster by their documents, read beside the loop. */
export class MemberDirectory {
  readonly #options: DirectoryOptions
  #askedAtMs = Number.NEGATIVE_INFINITY
  #readAtMs = Number.NEGATIVE_INFINITY
  #isAsking = false
  #members: readonly ListedMember[] = []

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  /** By ordinals; null while that is not known. */
  get members(): readonly ListedMember[] | null {
    const { nowMs, freshMs } = this.#options
    return nowMs() - this.#readAtMs <= freshMs ? this.#members : null
  }

  /** The one other member with that role, else this one if it has it; null where there is none, or several others. */
  leader(role: string): ListedMember | null {
    const named = (this.members ?? []).filter((member) => member.role === role)
    const [first, second] = named.filter(({ pod }) => pod !== this.#options.pod)
    return second === undefined ? (first ?? named[0] ?? null) : null
  }

  /** Reads when it is time to; to be called again and again. */
  refresh(): void {
    const { everyMs, nowMs, coordination } = this.#options
    const due = nowMs() - this.#askedAtMs >= everyMs
    if (due && !this.#isAsking && coordination.session !== null) void this.#ask()
  }

  async #ask(): Promise<void> {
    const { coordination, path, nowMs } = this.#options
    const askedAtMs = nowMs()
    this.#isAsking = true
    this.#askedAtMs = askedAtMs
    try {
      const names = (await coordination.children(path)) ?? []
      const znodes = await Promise.all(names.map((name) => coordination.read(`${path}/${name}`)))
      this.#members = znodes
        .flatMap((znode) => (znode === null ? [] : readMember(znode.data)))
        .sort((left, right) => left.ordinal - right.ordinal)
      this.#readAtMs = askedAtMs
    } catch {
      // Its age tells.
    } finally {
      this.#isAsking = false
    }
  }
}

/** None: whatever that is, it is no document that can be used. */
function readMember(data: Uint8Array): ListedMember[] {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(data).toString())
  } catch {
    return []
  }
  if (!Value.Check(MemberDocument, value)) return []
  const { id, enabled, shard, serviceEndpoint, payload } = value
  const { host, port } = serviceEndpoint
  return [{ pod: id, ordinal: shard, host, port, usable: enabled, role: payload.role }]
}

import { randomBytes } from 'node:crypto'
import {
  type ClusterFacts,
  type LockName,
  type LockView,
  NOTHING_WANTED,
  type RecoveryReport,
  type TreeWants,
} from '../core/cluster/facts.ts'
import { publicationStep } from '../core/publication.ts'
import type { TreeAction } from '../core/state.ts'
import type { Fence } from '../engines/engine.ts'
import { AgentError, messageOf } from '../errors.ts'
import { changeOf, lockOf } from './cluster-changes.ts'
import { encodeClusterDocument, readReport } from './cluster-documents.ts'
import { type ClusterPlace, readFacts } from './cluster-reader.ts'
import type { Coordination, TreeZnode } from './coordination.ts'

const LOCKS: readonly LockName[] = ['bootstrap', 'reconfig', 'election']
const NUMBER_DIGITS = 10
const GUID_BYTES = 8
const EXISTS = -110

export interface ClusterStoreOptions extends ClusterPlace {
  readonly coordination: Coordination
  readonly pod: string
  readonly incarnation: number
  readonly everyMs: number
  readonly everyMsIdle: number
  readonly nowMs: () => number
  /** Unix time. */
  readonly wallMs: () => number
  readonly log: (message: string, fields: object) => void
}

/**
 * The tree's side of a cluster: reads its facts, keeps there what this agent wants to be there (its place in
 * the queues of locks, its report), and makes changes under a lock. Everything is looked at anew each time;
 * an answer that was lost shows in the next look.
 */
export class ClusterStore {
  readonly #options: ClusterStoreOptions
  readonly #timer: NodeJS.Timeout
  #wants: TreeWants = NOTHING_WANTED
  #facts: ClusterFacts | null = null
  #session: string | null = null
  /** Own znodes of locks carry it in their names: made for each session, so that none is found again later. */
  #guid = ''
  /** Paths of the znodes by which locks are held. */
  #held: ReadonlyMap<LockName, { readonly path: string; readonly token: string }> = new Map()
  #readAtMs: number | null = null
  #round: Promise<void> | null = null
  #again = false
  #idle = false

  constructor(options: ClusterStoreOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#tick(), options.everyMs)
  }

  /** Null while the tree cannot be read: what was read before counts for nothing then. */
  get facts(): ClusterFacts | null {
    return this.#options.coordination.session === this.#session ? this.#facts : null
  }

  get readAtMs(): number | null {
    return this.#readAtMs
  }

  /** From now on. `idle`: nothing is in the making, a look now and then will do. */
  want(wants: TreeWants, idle: boolean): void {
    const changed = JSON.stringify(wants) !== JSON.stringify(this.#wants)
    this.#wants = wants
    this.#idle = idle
    if (!changed) return
    // A lock that is not wanted any more is not held from here on, though its znode goes later.
    this.#held = new Map([...this.#held].filter(([lock]) => wants.locks.includes(lock)))
    if (this.#facts !== null) this.#facts = { ...this.#facts, locks: this.#kept(this.#facts.locks) }
    void this.refresh()
  }

  #kept(locks: ClusterFacts['locks']): ClusterFacts['locks'] {
    const kept = (lock: LockName): LockView | null => {
      const view = locks[lock]
      return view && { ...view, mine: view.mine && this.#held.has(lock) }
    }
    return {
      bootstrap: kept('bootstrap'),
      reconfig: kept('reconfig'),
      election: kept('election'),
    }
  }

  /** Brings the tree to what is wanted and reads it, after all that was done before this call. */
  async refresh(): Promise<void> {
    if (this.#round !== null) {
      this.#again = true
      return this.#round
    }
    this.#round = this.#look()
    try {
      await this.#round
    } finally {
      this.#round = null
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Throws TREE_FENCED when the lock is not held. */
  fence(lock: LockName): Fence {
    const held = this.#held.get(lock)
    const session = this.#session
    const check = () => {
      const { coordination } = this.#options
      const same = held !== undefined && this.#held.get(lock)?.path === held.path
      if (!same || coordination.session !== session || coordination.status !== 'held') {
        throw new AgentError('TREE_FENCED', `the lock ${lock} may be another's by now`)
      }
    }
    check()
    return { token: held?.token ?? '', check }
  }

  /** Makes one change under the lock that it needs. */
  async perform(action: TreeAction): Promise<void> {
    const lock = lockOf(action)
    this.fence(lock).check()
    const path = this.#held.get(lock)?.path ?? ''
    const change = await changeOf(action, {
      ...this.#options,
      wallMs: this.#options.wallMs(),
      token: this.#held.get('bootstrap')?.token ?? '',
    })
    // The znode of the lock is there for as long as nobody else can hold it.
    if (change !== null) {
      await this.#options.coordination.commit([{ kind: 'check', path, version: -1 }, change])
    }
  }

  #tick(): void {
    const { nowMs, everyMsIdle, coordination } = this.#options
    const due = this.#readAtMs === null || nowMs() - this.#readAtMs >= everyMsIdle
    const idle = this.#idle && coordination.session === this.#session
    if (!idle || due) void this.refresh()
  }

  async #look(): Promise<void> {
    do {
      this.#again = false
      try {
        await this.#sync()
      } catch (error) {
        // The tree is away, or the session over: there are no facts until a look succeeds.
        this.#facts = null
        const reason = messageOf(error)
        this.#options.log('the tree could not be read', { reason })
      }
    } while (this.#again)
  }

  async #sync(): Promise<void> {
    const { coordination, nowMs } = this.#options
    const { session } = coordination
    if (session === null) {
      this.#facts = null
      return
    }
    if (session !== this.#session) await this.#enter(session)
    for (const lock of LOCKS) await this.#queue(lock)
    await this.#report(session, this.#wants.report)
    const atMs = nowMs()
    await coordination.barrier()
    const facts = await this.#read(atMs, session)
    if (coordination.session !== session) return
    this.#facts = facts
    this.#readAtMs = atMs
  }

  /** A session begins with nothing of the former. */
  async #enter(session: string): Promise<void> {
    const { root, services, coordination } = this.#options
    this.#facts = null
    this.#held = new Map()
    const folders = ['bootstrap', 'recovery', 'departed', ...LOCKS.map((lock) => `locks/${lock}`)]
    for (const path of [...folders.map((name) => `${root}/${name}`), services]) {
      await present(coordination, path)
    }
    this.#guid = randomBytes(GUID_BYTES).toString('hex')
    this.#session = session
  }

  /** In the queue of a lock when it is wanted, and only then; at most once, also after a lost reply. */
  async #queue(lock: LockName): Promise<void> {
    const { coordination, pod } = this.#options
    const folder = this.#folder(lock)
    const own = (await coordination.children(folder))?.filter((name) => this.#isOwn(name)) ?? []
    const wanted = this.#wants.locks.includes(lock)
    for (const name of own.slice(wanted ? 1 : 0)) {
      this.#held = new Map([...this.#held].filter(([, { path }]) => path !== `${folder}/${name}`))
      await coordination.delete(`${folder}/${name}`, -1)
    }
    if (!wanted || own.length > 0) return
    await coordination.createNumbered(`${folder}/${this.#guid}-lock-`, Buffer.from(pod))
  }

  async #report(session: string, report: RecoveryReport | null): Promise<void> {
    const { coordination, root, pod } = this.#options
    const path = `${root}/recovery/${pod}`
    const existing = await coordination.read(path)
    if (report === null) {
      if (existing?.owner === session) await coordination.delete(path, existing.version)
      return
    }
    const data = encodeClusterDocument(report)
    const text = Buffer.from(data).toString()
    const known = existing === null ? null : readReport(existing.data)
    const before = existing && {
      ...existing,
      text: Buffer.from(existing.data).toString(),
      document: known && { id: pod, incarnation: known.incarnation },
    }
    const self = { id: pod, incarnation: report.incarnation }
    const step = publicationStep(before, session, self, text)
    if (step.kind === 'set') await coordination.set(path, data, step.version)
    if (step.kind === 'replace') await coordination.delete(path, step.version)
    if (step.kind === 'replace' || step.kind === 'create') {
      await coordination.create(path, data, 'ephemeral')
    }
  }

  async #read(atMs: number, session: string): Promise<ClusterFacts> {
    const { coordination, root, services } = this.#options
    // The locks first: whoever sees one as its own then sees all that was written under it before.
    const locks = await this.#readLocks(session)
    return await readFacts(coordination, { root, services }, atMs, locks)
  }

  async #readLocks(session: string): Promise<Record<LockName, LockView | null>> {
    const heads = await Promise.all(LOCKS.map((lock) => this.#head(lock)))
    const held = new Map<LockName, { path: string; token: string }>()
    const views: Record<LockName, LockView | null> = {
      bootstrap: null,
      reconfig: null,
      election: null,
    }
    LOCKS.forEach((lock, i) => {
      const head = heads[i] ?? null
      if (head === null) return
      const { path, znode } = head
      const token = znode.czxid
      const mine = znode.owner === session && this.#wants.locks.includes(lock)
      if (mine) held.set(lock, { path, token })
      views[lock] = { holder: Buffer.from(znode.data).toString(), token, mine }
    })
    this.#held = held
    return views
  }

  /** The znode with the lowest number holds the lock; one that went meanwhile held it until then. */
  async #head(lock: LockName): Promise<{ path: string; znode: TreeZnode } | null> {
    const folder = this.#folder(lock)
    const names = (await this.#options.coordination.children(folder)) ?? []
    const [first] = [...names].sort((left, right) => numberOf(left) - numberOf(right))
    if (first === undefined) return null
    const path = `${folder}/${first}`
    const znode = await this.#options.coordination.read(path)
    return znode && { path, znode }
  }

  #folder(lock: LockName): string {
    return `${this.#options.root}/locks/${lock}`
  }

  #isOwn(name: string): boolean {
    return name.startsWith(`${this.#guid}-lock-`)
  }
}

function numberOf(name: string): number {
  return Number(name.slice(-NUMBER_DIGITS))
}

async function present(coordination: Coordination, path: string): Promise<void> {
  try {
    await coordination.create(path, Buffer.alloc(0), 'persistent')
  } catch (error) {
    const exists = error instanceof AgentError && error.detail === EXISTS
    if (!exists) throw error
  }
}

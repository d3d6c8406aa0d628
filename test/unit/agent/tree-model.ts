import {
  type BootstrapIntent,
  type ClusterFacts,
  type Initialized,
  type LockName,
  NOTHING_WANTED,
  type PublishedMember,
  type RecoveryReport,
  type Tombstone,
  type TreeWants,
} from '../../../agent/core/cluster/facts.ts'
import type { LeaseStatus } from '../../../agent/core/lease.ts'
import { leaseStatus } from '../../../agent/core/lease.ts'
import type { TreeAction } from '../../../agent/core/state.ts'

const TIMEOUT_MS = 10_000

interface Queued {
  readonly session: number
  readonly pod: string
  readonly token: string
}

interface Owned<T> {
  readonly session: number
  readonly value: T
}

/** What one agent has of the tree: its session, what it wants there, and what it read last. */
export class TreeView {
  session: number | null = null
  heardAtMs = 0
  wants: TreeWants = NOTHING_WANTED
  document: PublishedMember | null = null
  facts: ClusterFacts | null = null
  published: readonly string[] | null = null
  readAtMs: number | null = null

  lease(nowMs: number): LeaseStatus {
    if (this.session === null) return 'none'
    return leaseStatus({ sessionTimeoutMs: TIMEOUT_MS, renewedAtMs: this.heardAtMs }, nowMs)
  }

  /** As the store does: a lock that is not wanted any more counts as dropped at once. */
  want(wants: TreeWants): void {
    this.wants = wants
    if (this.facts === null) return
    const { locks } = this.facts
    const kept = (name: LockName) => {
      const view = locks[name]
      return view && { ...view, mine: view.mine && wants.locks.includes(name) }
    }
    const dropped = {
      bootstrap: kept('bootstrap'),
      reconfig: kept('reconfig'),
      election: kept('election'),
    }
    this.facts = { ...this.facts, locks: dropped }
  }
}

/** A model of the tree: sessions that expire late or in time, queues of locks, ephemerals, create-once. */
export class TreeModel {
  up = true
  /** How much later than it might the tree expires a session: a new leader gives all of them more time. */
  lateMs = 0
  initialized: Initialized | null = null
  intent: BootstrapIntent | null = null
  readonly tombstones = new Map<string, Tombstone>()
  readonly #sessions = new Map<number, number>()
  readonly #queues: Record<LockName, Queued[]> = { bootstrap: [], reconfig: [], election: [] }
  readonly #reports = new Map<string, Owned<RecoveryReport>>()
  readonly #documents = new Map<string, Owned<PublishedMember>>()
  #counter = 0

  expire(nowMs: number): void {
    for (const [id, heardAtMs] of this.#sessions) {
      if (nowMs - heardAtMs >= TIMEOUT_MS + this.lateMs) this.close(id)
    }
  }

  close(session: number): void {
    this.#sessions.delete(session)
    for (const name of ['bootstrap', 'reconfig', 'election'] as const) {
      this.#queues[name] = this.#queues[name].filter((entry) => entry.session !== session)
    }
    for (const map of [this.#reports, this.#documents]) {
      for (const [pod, owned] of map) if (owned.session === session) map.delete(pod)
    }
  }

  /** Nothing is left of it. */
  clear(): void {
    for (const id of [...this.#sessions.keys()]) this.close(id)
    this.initialized = null
    this.intent = null
    this.tombstones.clear()
  }

  /** One round of an agent's store. */
  look(view: TreeView, pod: string, nowMs: number): void {
    this.expire(nowMs)
    if (view.lease(nowMs) === 'lost' || view.lease(nowMs) === 'none') this.#open(view, nowMs)
    const { session } = view
    if (session === null || !this.#sessions.has(session)) {
      view.session = null
      view.facts = null
      view.published = null
      return
    }
    this.#sessions.set(session, nowMs)
    view.heardAtMs = nowMs
    this.#settle(view, session, pod)
    view.facts = this.#facts(session, nowMs)
    view.published = [...this.#documents.keys()]
    view.readAtMs = nowMs
  }

  #open(view: TreeView, nowMs: number): void {
    this.#counter += 1
    view.session = this.#counter
    view.facts = null
    this.#sessions.set(this.#counter, nowMs)
    view.heardAtMs = nowMs
  }

  #settle(view: TreeView, session: number, pod: string): void {
    for (const name of ['bootstrap', 'reconfig', 'election'] as const) {
      const own = this.#queues[name].some((entry) => entry.session === session)
      const wanted = view.wants.locks.includes(name)
      if (wanted && !own) {
        this.#counter += 1
        this.#queues[name].push({ session, pod, token: String(this.#counter) })
      }
      if (!wanted) {
        this.#queues[name] = this.#queues[name].filter((entry) => entry.session !== session)
      }
    }
    this.#own(this.#reports, pod, session, view.wants.report)
    this.#own(this.#documents, pod, session, view.document)
  }

  #own<T>(map: Map<string, Owned<T>>, pod: string, session: number, value: T | null): void {
    if (value !== null) map.set(pod, { session, value })
    else if (map.get(pod)?.session === session) map.delete(pod)
  }

  #facts(session: number, atMs: number): ClusterFacts {
    const values = <T>(map: Map<string, Owned<T>>) =>
      Object.fromEntries([...map].map(([pod, { value }]) => [pod, value]))
    const lock = (name: LockName) => {
      const [head] = this.#queues[name]
      if (head === undefined) return null
      return { holder: head.pod, token: head.token, mine: head.session === session }
    }
    return {
      atMs,
      initialized: this.initialized,
      intent: this.intent,
      reports: values(this.#reports),
      tombstones: Object.fromEntries(this.tombstones),
      members: values(this.#documents),
      locks: {
        bootstrap: lock('bootstrap'),
        reconfig: lock('reconfig'),
        election: lock('election'),
      },
    }
  }

  /** The transaction of a change with the check of the lock's znode. */
  perform(view: TreeView, action: TreeAction, pod: string): boolean {
    const lock = lockOf(action)
    const [head] = this.#queues[lock]
    if (head === undefined || head.session !== view.session) return false
    switch (action.kind) {
      case 'writeIntent': {
        if (this.intent !== null) return false
        this.#counter += 1
        const { chosenFrom } = action
        const nonce = `n${this.#counter}`
        this.intent = { by: pod, incarnation: 1, token: head.token, nonce, chosenFrom }
        return true
      }
      case 'clearIntent':
        this.intent = null
        return true
      case 'initialize': {
        const { engineClusterId } = action
        if (this.initialized !== null) return this.initialized.engineClusterId === engineClusterId
        const { expected } = action
        this.initialized = { engineClusterId, by: pod, at: 0, position: null, expected }
        return true
      }
      case 'forget':
        this.initialized = null
        return true
      case 'notePosition':
        if (this.initialized === null) return false
        this.initialized = { ...this.initialized, position: action.position }
        return true
      case 'expect':
        if (this.initialized === null) return false
        this.initialized = { ...this.initialized, expected: action.count }
        return true
      case 'bury': {
        const { identity, reason } = action
        this.tombstones.set(action.pod, { identity, done: false, at: 0, reason })
        return true
      }
      case 'confirm': {
        const before = this.tombstones.get(action.pod)
        if (before !== undefined) this.tombstones.set(action.pod, { ...before, done: true })
        return true
      }
      case 'unbury':
        this.tombstones.delete(action.pod)
        return true
    }
  }
}

function lockOf(action: TreeAction): LockName {
  const { kind } = action
  if (kind === 'expect') return action.lock
  if (kind === 'notePosition') return 'election'
  return ['bury', 'confirm', 'unbury'].includes(kind) ? 'reconfig' : 'bootstrap'
}

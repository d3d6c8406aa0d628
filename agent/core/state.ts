import type { LockName } from './cluster/facts.ts'
import type { FormingRecord, Ms, Observation } from './observation.ts'
import type { StartMode } from './start-rule.ts'
import type { StopVerdict } from './stop-verdict.ts'

/**
 * Where the member is. `waiting`: the engine does not run, or was not heard yet. `starting`: it took a
 * permit. `serving`: it answers. `draining`: it leaves service. `drained`: it may be stopped.
 */
export type Phase = 'waiting' | 'starting' | 'serving' | 'draining' | 'drained'

export interface Drain {
  readonly cause: 'prestop' | 'sigterm'
  readonly startedAtMs: Ms
  readonly deadlineMs: Ms
  /** When the engine was last heard; null: not since it last ran. */
  readonly heardAtMs: Ms | null
  /** Null until the StatefulSet was asked. */
  readonly verdict: StopVerdict | null
  /** The removal has committed. */
  readonly removed: boolean
  /** ... and the disk says so. */
  readonly marked: boolean
  readonly endedAtMs: Ms | null
}

/** What the agent remembers; a crash of the agent loses it, so nothing that must last is here. */
export interface AgentState {
  readonly startedAtMs: Ms
  readonly phase: Phase
  readonly drain: Drain | null
  /** preStop calls and their drain: a call older than this was dealt with. */
  readonly prestopDoneAtMs: Ms | null
  /** Members without a document, since when. */
  readonly missingSince: Readonly<Record<string, Ms>>
  /** What has to be done before the engine may start, by one word, and since when; null: nothing has. */
  readonly preparing: { readonly due: string; readonly sinceMs: Ms } | null
  /** When the position of the cluster was noted in the tree; null before the first time. */
  readonly positionAtMs: Ms | null
  /** The command that failed last, until it succeeds: others that are due go before it. */
  readonly failedCommand: string | null
  /** The side effect that was tried last did not come about. */
  readonly failed: boolean
  /** No side effect before this. */
  readonly retryAtMs: Ms
}

export function initialState(nowMs: Ms): AgentState {
  return {
    startedAtMs: nowMs,
    phase: 'waiting',
    drain: null,
    prestopDoneAtMs: null,
    missingSince: {},
    preparing: null,
    positionAtMs: null,
    failedCommand: null,
    failed: false,
    retryAtMs: nowMs,
  }
}

/** One side effect for the shell; at most one at a time, its outcome comes back by `settle`. */
export type Action =
  | { readonly kind: 'none' }
  /** Write one single-use line into the permit pipe. */
  | { readonly kind: 'permit'; readonly mode: StartMode }
  /** Put a random mark on the disk, durably. */
  | { readonly kind: 'writeFounding' }
  /** Create the record, or replace exactly the version that was read; null: create. */
  | {
      readonly kind: 'writeRecord'
      readonly record: FormingRecord
      readonly version: string | null
    }
  /** Rename all data away, durably. The engine surely does not run. */
  | { readonly kind: 'moveAside' }
  /** GET the StatefulSet now. */
  | { readonly kind: 'verify' }
  | { readonly kind: 'handOver'; readonly to: string | null }
  | { readonly kind: 'remove'; readonly name: string }
  /** Have the ensemble take this member back, which was removed. */
  | { readonly kind: 'readmit' }
  /** Note on the disk, durably, that this member was removed. */
  | { readonly kind: 'markDeparted' }
  /** Take that note back, durably: the member is about to be readmitted. */
  | { readonly kind: 'clearDeparted' }
  | TreeAction
  | EngineAction

/**
 * Changes of the tree that this agent makes under a lock that it holds: the change and the proof that the
 * lock is still there are one transaction.
 */
export type TreeAction =
  /** The shell adds who, when, the lock's token and the nonce. */
  | { readonly kind: 'writeIntent'; readonly chosenFrom: Readonly<Record<string, string>> }
  | { readonly kind: 'clearIntent' }
  /** Create-once: fails if it is there with another id, is done if it is there with the same. */
  | {
      readonly kind: 'initialize'
      readonly engineClusterId: string
      readonly expected: number
    }
  /** The cluster on record has no data any more: another is formed. */
  | { readonly kind: 'forget' }
  | { readonly kind: 'notePosition'; readonly position: string }
  /** How many ordinals may hold data: raised before one more does, lowered when the cluster runs without. */
  | { readonly kind: 'expect'; readonly count: number; readonly lock: 'bootstrap' | 'election' }
  | {
      readonly kind: 'bury'
      readonly pod: string
      readonly identity: string
      readonly reason: string
    }
  /** The removal that the tombstone was for has committed. */
  | { readonly kind: 'confirm'; readonly pod: string }
  | { readonly kind: 'unbury'; readonly pod: string }

/** What the engine's own code does; each is safe to repeat, and stops when its lock may be lost. */
export type EngineAction =
  /** Form the cluster: engines that are formed while they run. */
  | { readonly kind: 'bootstrap' }
  /** Take this running member into the cluster. */
  | { readonly kind: 'join' }
  /** The same for one that was buried: the cluster takes it in, then its tombstone goes. */
  | { readonly kind: 'rejoin' }
  /** A name and arguments that only the engine knows. */
  | {
      readonly kind: 'command'
      readonly name: string
      readonly args: Readonly<Record<string, string>>
      /** The lock that it needs; null: none. */
      readonly lock: LockName | null
      /** The name of the warning by which it is told when it is done. */
      readonly event?: string
    }

export type ActionKind = Action['kind']

export interface Outcome {
  readonly ok: boolean
  readonly atMs: Ms
}

/** The state after a side effect. A failure only delays the next try: what to do is decided afresh. */
export function settle(
  before: AgentState,
  action: Action,
  outcome: Outcome,
  retryMs: Ms,
): AgentState {
  const failed = !outcome.ok
  const state = { ...before, failedCommand: failedCommand(before, action, outcome), failed }
  if (!outcome.ok) return { ...state, retryAtMs: outcome.atMs + retryMs }
  const { drain } = state
  switch (action.kind) {
    case 'permit':
      return { ...state, phase: 'starting', preparing: null }
    case 'handOver':
    case 'readmit':
    case 'bootstrap':
    case 'join':
    case 'rejoin':
    case 'command':
      // The request was taken; what comes of it shows in later observations.
      return { ...state, retryAtMs: outcome.atMs + retryMs }
    case 'notePosition':
      return { ...state, positionAtMs: outcome.atMs }
    case 'remove':
      return drain === null ? state : { ...state, drain: { ...drain, removed: true } }
    case 'markDeparted':
      return drain === null ? state : { ...state, drain: { ...drain, marked: true } }
    default:
      return state
  }
}

function failedCommand(
  { failedCommand: before }: AgentState,
  action: Action,
  { ok }: Outcome,
): string | null {
  if (!ok) return action.kind === 'command' ? action.name : null
  return action.kind === 'command' && action.name === before ? null : before
}

/** How long each member of the configuration has had no document, as far as the tree can be read. */
export function missingMembers(state: AgentState, observation: Observation): AgentState {
  const { published, nowMs, engine } = observation
  if (published === null) return { ...state, missingSince: {} }
  const missing = engine.members.filter(({ name }) => !published.includes(name))
  const missingSince = Object.fromEntries(
    missing.map(({ name }) => [name, state.missingSince[name] ?? nowMs]),
  )
  return { ...state, missingSince }
}

import type { Ms } from './observation.ts'

/**
 * The agent's own clock of its session. The client library takes a mute server for a connected one,
 * so nothing rests on what it says: only a request that the server answered proves that the server
 * counted this session as alive, and it did so no earlier than the request was sent.
 */
export interface Lease {
  readonly sessionTimeoutMs: Ms
  /** When the newest answered request was sent; null before the first. */
  readonly renewedAtMs: Ms | null
}

/**
 * - `held`: the session cannot have expired, and the server was heard lately.
 * - `suspended`: two thirds of the timeout without proof: critical sections stop, the connection
 *   moves to another server.
 * - `lost`: the full timeout: the session counts as expired; nothing of it may be used again.
 */
export type LeaseStatus = 'none' | 'held' | 'suspended' | 'lost'

export function newLease(sessionTimeoutMs: Ms): Lease {
  return { sessionTimeoutMs, renewedAtMs: null }
}

/**
 * An answer came at `nowMs` to what was sent at `sentAtMs`. Proofs may come out of order. A lost lease
 * stays lost, whatever comes late: somebody may have acted on the loss already.
 */
export function renewed(lease: Lease, sentAtMs: Ms, nowMs: Ms): Lease {
  if (leaseStatus(lease, nowMs) === 'lost') return lease
  if (lease.renewedAtMs !== null && lease.renewedAtMs >= sentAtMs) return lease
  return { ...lease, renewedAtMs: sentAtMs }
}

/** The server granted, at `nowMs`, another timeout than was asked for; a lost lease stays lost. */
export function negotiated(lease: Lease, sessionTimeoutMs: Ms, nowMs: Ms): Lease {
  return leaseStatus(lease, nowMs) === 'lost' ? lease : { ...lease, sessionTimeoutMs }
}

export function leaseStatus(lease: Lease, nowMs: Ms): LeaseStatus {
  if (lease.renewedAtMs === null) return 'none'
  const silentMs = nowMs - lease.renewedAtMs
  if (silentMs >= lease.sessionTimeoutMs) return 'lost'
  return 3 * silentMs >= 2 * lease.sessionTimeoutMs ? 'suspended' : 'held'
}

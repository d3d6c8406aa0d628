import type { LogIndex } from '../core/brand.ts'
import type { Entry, HardState, SnapshotMeta } from '../core/raft/message.ts'
import type { WriteBatch } from './storage.ts'

/** What becomes one record of the log. */
export type Part =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'hardState'; readonly state: HardState }
  | { readonly kind: 'mark'; readonly meta: SnapshotMeta; readonly state: HardState }

/**
 * The hard state goes first: an entry must not be found without its term. Its commit may stand on
 * entries of this very batch; a write torn between would then seem to have lost committed entries,
 * so that commit follows behind them.
 */
export function partsOf({ hardState, entries }: WriteBatch, before: LogIndex): Part[] {
  const parts: Part[] = []
  if (hardState !== null) {
    const commit = Math.min(hardState.commit, before)
    parts.push({ kind: 'hardState', state: { ...hardState, commit } })
  }
  for (const entry of entries) parts.push({ kind: 'entry', entry })
  if (hardState !== null && hardState.commit > before && entries.length > 0) {
    const commit = Math.min(hardState.commit, before + entries.length)
    parts.push({ kind: 'hardState', state: { ...hardState, commit } })
  }
  return parts
}

/** What may take the reserve when the disk has no space; the ensemble refuses other writes before. */
export function mayUseReserve({ hardState, entries, reserved }: WriteBatch): boolean {
  if (reserved === true || hardState !== null) return true
  return entries.length === 0 || entries.some((entry) => entry.kind !== 'requests')
}

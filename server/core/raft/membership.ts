import type { Member } from './message.ts'

/**
 * Whether `next` differs from `present` in exactly one member: one added, one removed, or one with
 * another role or address (Ongaro's thesis, 4.1: with one change at a time any two majorities meet).
 * An incarnation cannot be swapped in one change: its id is its identity.
 */
export function isOneChange(present: readonly Member[], next: readonly Member[]): boolean {
  const before = new Map(present.map((member) => [member.id, member]))
  const after = new Map(next.map((member) => [member.id, member]))
  if (after.size !== next.length) return false
  if (new Set(next.map((member) => member.name)).size !== next.length) return false
  if (!next.some((member) => member.role === 'voter')) return false
  let changes = 0
  for (const [id, member] of after) {
    const former = before.get(id)
    if (former === undefined || !isSame(former, member)) changes += 1
  }
  for (const id of before.keys()) if (!after.has(id)) changes += 1
  return changes === 1
}

function isSame(left: Member, right: Member): boolean {
  return (
    left.name === right.name &&
    left.role === right.role &&
    left.observer === right.observer &&
    left.peerAddress === right.peerAddress &&
    left.clientAddress === right.clientAddress &&
    left.httpAddress === right.httpAddress
  )
}

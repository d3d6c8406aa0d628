import { type Acl, type Identity, Permission } from '../tree/acl.ts'
import { allows, maskDigests } from '../tree/acl-check.ts'
import { keptAs } from '../tree/path.ts'
import type { Stat } from '../tree/stat.ts'
import { ErrorCode } from './error-code.ts'
import type { StateMachine } from './state-machine.ts'

/**
 * Reads of one server's state for a client; a refusal is its code. A path that no znode can have is one
 * that no znode has: only writes, and exists for a NUL, look at how it is made, as in ZooKeeper.
 */

export function exists(
  machine: StateMachine,
  path: string,
  identities: readonly Identity[],
): Stat | ErrorCode {
  if (path.includes('\0')) return ErrorCode.badArguments
  return readable(machine, path, identities)
}

/** `data` is a view into the store: serialise it in this turn, or copy it. */
export function getData(
  machine: StateMachine,
  path: string,
  identities: readonly Identity[],
): { readonly data: Uint8Array | null; readonly stat: Stat } | ErrorCode {
  const stat = readable(machine, path, identities)
  if (typeof stat === 'number') return stat
  return { data: machine.tree.data(keptAs(path)) ?? null, stat }
}

export function getChildren(
  machine: StateMachine,
  path: string,
  identities: readonly Identity[],
): { readonly children: readonly string[]; readonly stat: Stat } | ErrorCode {
  const stat = readable(machine, path, identities)
  if (typeof stat === 'number') return stat
  return { children: machine.tree.children(keptAs(path)), stat }
}

/** READ or ADMIN; without ADMIN the hashes of digests are masked. */
export function getAcl(
  machine: StateMachine,
  path: string,
  identities: readonly Identity[],
): { readonly acl: Acl; readonly stat: Stat } | ErrorCode {
  const acl = machine.tree.acl(keptAs(path))
  const stat = machine.tree.stat(keptAs(path))
  if (acl === undefined || stat === undefined) return ErrorCode.noNode
  if (!allows(acl, identities, Permission.read | Permission.admin)) return ErrorCode.noAuth
  return { acl: allows(acl, identities, Permission.admin) ? acl : maskDigests(acl), stat }
}

export function getAllChildrenNumber(
  machine: StateMachine,
  path: string,
  identities: readonly Identity[],
): { readonly count: number } | ErrorCode {
  const stat = readable(machine, path, identities)
  if (typeof stat === 'number') return stat
  return { count: machine.tree.descendantCount(keptAs(path)) }
}

/** The session's ephemerals below a prefix. */
export function getEphemerals(machine: StateMachine, session: number, prefix: string): string[] {
  return machine.tree.ephemeralsOf(session).filter((path) => path.startsWith(prefix))
}

function readable(
  machine: StateMachine,
  path: string,
  identities: readonly Identity[],
): Stat | ErrorCode {
  const stat = machine.tree.stat(keptAs(path))
  if (stat === undefined) return ErrorCode.noNode
  const acl = machine.tree.acl(keptAs(path))
  if (acl === undefined || !allows(acl, identities, Permission.read)) return ErrorCode.noAuth
  return stat
}

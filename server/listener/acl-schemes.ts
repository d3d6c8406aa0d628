import type { Operation } from '../core/machine/operation.ts'
import { type Acl, OPEN_ACL } from '../core/tree/acl.ts'
import type { AuthScheme } from './authentication.ts'

/** Schemes that an ACL may name whatever is switched on; `auth` stands for the client's own. */
const ALWAYS = new Set(['world', 'auth', 'ip'])
/** Apply refuses it where ZooKeeper looks at the ACL, in its order of checks. */
const REFUSED: Acl = []

/** The operation as a server asks it that knows these schemes alone: other ACLs are refused. */
export function withKnownSchemes(
  operation: Operation,
  schemes: ReadonlySet<AuthScheme>,
): Operation {
  if (isKnown(operation, schemes)) return operation
  switch (operation.kind) {
    case 'create':
    case 'setAcl':
      return { ...operation, acl: REFUSED }
    case 'multi': {
      const operations = operation.operations.map((one) => withKnownSchemes(one, schemes))
      return { kind: 'multi', operations }
    }
    default:
      return operation
  }
}

function isKnown(operation: Operation, schemes: ReadonlySet<string>): boolean {
  if (operation.kind === 'multi') return operation.operations.every((one) => isKnown(one, schemes))
  if (operation.kind !== 'create' && operation.kind !== 'setAcl') return true
  if (operation.acl === OPEN_ACL) return true
  return operation.acl.every(({ scheme }) => ALWAYS.has(scheme) || schemes.has(scheme))
}

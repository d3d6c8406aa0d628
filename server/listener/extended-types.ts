import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation } from '../core/machine/operation.ts'

const UNIMPLEMENTED: Operation = { kind: 'error', code: ErrorCode.unimplemented }

/** The operation of a server without extendedTypesEnabled: one that makes a TTL znode fails. */
export function withoutTtl(operation: Operation): Operation {
  if (operation.kind === 'create' && operation.mode === 'ttl') return UNIMPLEMENTED
  if (operation.kind !== 'multi') return operation
  return { kind: 'multi', operations: operation.operations.map(withoutTtl) }
}

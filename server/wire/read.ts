import type { ErrorCode } from '../core/machine/error-code.ts'
import type { Acl } from '../core/tree/acl.ts'
import type { Stat } from '../core/tree/stat.ts'

/** One read, answered from the local state; `watch` asks for a one-shot watch as well. */
export type ReadRequest =
  | { readonly kind: 'exists'; readonly path: string; readonly watch: boolean }
  | { readonly kind: 'getData'; readonly path: string; readonly watch: boolean }
  | { readonly kind: 'getAcl'; readonly path: string }
  | { readonly kind: 'getChildren'; readonly path: string; readonly watch: boolean }
  | { readonly kind: 'getChildren2'; readonly path: string; readonly watch: boolean }
  /** Paths of the asking session's ephemerals that begin with `prefix` ('' for all). */
  | { readonly kind: 'getEphemerals'; readonly prefix: string }
  | { readonly kind: 'getAllChildrenNumber'; readonly path: string }
  /** Only getData and getChildren; each item answers for itself. */
  | { readonly kind: 'multiRead'; readonly reads: readonly ReadRequest[] }

export type ReadResult =
  | { readonly kind: 'exists'; readonly stat: Stat }
  | { readonly kind: 'getData'; readonly data: Uint8Array | null; readonly stat: Stat }
  | { readonly kind: 'getAcl'; readonly acl: Acl; readonly stat: Stat }
  | { readonly kind: 'getChildren'; readonly children: readonly string[] }
  | { readonly kind: 'getChildren2'; readonly children: readonly string[]; readonly stat: Stat }
  | { readonly kind: 'getEphemerals'; readonly paths: readonly string[] }
  | { readonly kind: 'getAllChildrenNumber'; readonly count: number }
  | { readonly kind: 'multiRead'; readonly results: readonly ReadResult[] }
  | { readonly kind: 'error'; readonly code: ErrorCode }

export type ReadOf<Kind extends ReadRequest['kind']> = Extract<ReadRequest, { kind: Kind }>
export type ReadResultOf<Kind extends ReadResult['kind']> = Extract<ReadResult, { kind: Kind }>

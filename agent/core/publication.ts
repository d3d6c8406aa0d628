import type { KnownDocument } from './member-document.ts'

/** The znode at the place of this member's document, as it is now. */
export interface ExistingZnode {
  /** The session that owns it, in hex; '0' for none. */
  readonly owner: string
  readonly version: number
  readonly text: string
  readonly document: KnownDocument | null
}

export type PublicationStep =
  | { readonly kind: 'create' }
  | { readonly kind: 'set'; readonly version: number }
  /** Left over from an earlier run of this member: delete exactly this version, then create. */
  | { readonly kind: 'replace'; readonly version: number }
  | { readonly kind: 'none' }
  /** A stranger's: it must go by itself. */
  | { readonly kind: 'conflict'; readonly reason: string }

/**
 * How to get `text` into an ephemeral znode of this session. One of another session is replaced only
 * when it names this member and an earlier incarnation: that session is ours and merely not expired.
 */
export function publicationStep(
  existing: ExistingZnode | null,
  session: string,
  self: KnownDocument,
  text: string,
): PublicationStep {
  if (existing === null) return { kind: 'create' }
  if (existing.owner === session) {
    return existing.text === text ? { kind: 'none' } : { kind: 'set', version: existing.version }
  }
  const { document } = existing
  if (document === null || document.id !== self.id) {
    return { kind: 'conflict', reason: 'the place of the document holds something else' }
  }
  if (document.incarnation > self.incarnation) {
    return { kind: 'conflict', reason: 'a later run of this member has published itself' }
  }
  return { kind: 'replace', version: existing.version }
}

import type { Identity } from '../../core/tree/acl.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'
import { readIdentities, writeIdentities } from '../records.ts'

/** Reply of whoAmI (107): the identities of the connection. The request has no body. */
export function writeWhoAmIReply(writer: JuteWriter, identities: readonly Identity[]): void {
  writeIdentities(writer, identities)
}

export function readWhoAmIReply(reader: JuteReader): readonly Identity[] {
  return readIdentities(reader)
}

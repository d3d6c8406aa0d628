import type { JuteReader, JuteWriter } from '../jute.ts'

/** Null and '' both mean that the client gave nothing. */
export interface Reconfig {
  /** "server.5=host:2888:3888:participant;2181", comma-separated. */
  readonly joining: string | null
  /** Server ids, comma-separated. */
  readonly leaving: string | null
  /** A whole new configuration instead of the two above. */
  readonly newMembers: string | null
  /** The version the client expects, -1 for any. */
  readonly configId: number
}

/** Body of reconfig (16). The reply is that of getData: the configuration and its Stat. */
export function readReconfig(reader: JuteReader): Reconfig {
  return {
    joining: reader.ustring(),
    leaving: reader.ustring(),
    newMembers: reader.ustring(),
    configId: reader.longClamped(),
  }
}

export function writeReconfig(writer: JuteWriter, reconfig: Reconfig): void {
  writer.ustring(reconfig.joining)
  writer.ustring(reconfig.leaving)
  writer.ustring(reconfig.newMembers)
  writer.long(reconfig.configId)
}

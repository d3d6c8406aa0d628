import type { JuteReader, JuteWriter } from '../jute.ts'

export interface AddWatch {
  readonly path: string
  /** 0 persistent, 1 persistent recursive (reference B3); anything else is for the server to refuse. */
  readonly mode: number
}

/** Body of addWatch (106): path, mode. */
export function readAddWatch(reader: JuteReader): AddWatch {
  return { path: reader.string(), mode: reader.int() }
}

export function writeAddWatch(writer: JuteWriter, watch: AddWatch): void {
  writer.ustring(watch.path)
  writer.int(watch.mode)
}

/** The reply: an ErrorResponse that repeats the code of the header, 0. */
export function writeAddWatchReply(writer: JuteWriter): void {
  writer.int(0)
}

export function readAddWatchReply(reader: JuteReader): void {
  reader.int()
}

import type { JuteReader, JuteWriter } from '../jute.ts'

export interface WatchSelection {
  readonly path: string
  /** 1 children, 2 data, 3 any, 4 persistent, 5 persistent recursive (reference B3). */
  readonly type: number
}

/** Body of checkWatches (17) and removeWatches (18): path, type. The reply has no body. */
export function readWatchSelection(reader: JuteReader): WatchSelection {
  return { path: reader.string(), type: reader.int() }
}

export function writeWatchSelection(writer: JuteWriter, selection: WatchSelection): void {
  writer.ustring(selection.path)
  writer.int(selection.type)
}

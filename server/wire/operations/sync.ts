import type { JuteReader, JuteWriter } from '../jute.ts'

/** Body of sync (9), and of its reply: the path, which need not exist, and may be null. */
export function readSync(reader: JuteReader): string | null {
  return reader.ustring()
}

export function writeSync(writer: JuteWriter, path: string | null): void {
  writer.ustring(path)
}

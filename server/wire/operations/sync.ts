import type { JuteReader, JuteWriter } from '../jute.ts'

/** Body of sync (9), and of its reply: the path, which need not exist. */
export function readSync(reader: JuteReader): string {
  return reader.string()
}

export function writeSync(writer: JuteWriter, path: string): void {
  writer.ustring(path)
}

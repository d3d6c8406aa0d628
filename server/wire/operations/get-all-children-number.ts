import type { JuteReader, JuteWriter } from '../jute.ts'
import type { ReadOf, ReadResultOf } from '../read.ts'

/** Body of getAllChildrenNumber (104): path. */
export function readGetAllChildrenNumber(reader: JuteReader): ReadOf<'getAllChildrenNumber'> {
  return { kind: 'getAllChildrenNumber', path: reader.string() }
}

export function writeGetAllChildrenNumber(
  writer: JuteWriter,
  read: ReadOf<'getAllChildrenNumber'>,
): void {
  writer.ustring(read.path)
}

/** The number of all descendants. */
export function writeGetAllChildrenNumberReply(
  writer: JuteWriter,
  result: ReadResultOf<'getAllChildrenNumber'>,
): void {
  writer.int(result.count)
}

export function readGetAllChildrenNumberReply(
  reader: JuteReader,
): ReadResultOf<'getAllChildrenNumber'> {
  return { kind: 'getAllChildrenNumber', count: reader.int() }
}

import { assert } from '../../core/assert.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'
import { Opcode } from '../opcode.ts'
import type { ReadOf, ReadRequest, ReadResult, ReadResultOf } from '../read.ts'
import { readMultiHeader, toErrorCode, writeMultiHeader } from '../records.ts'
import {
  readGetChildren,
  readGetChildrenReply,
  writeGetChildren,
  writeGetChildrenReply,
} from './get-children.ts'
import { readGetData, readGetDataReply, writeGetData, writeGetDataReply } from './get-data.ts'

/** Body of multiRead (22): getData and getChildren items; any other type fails the whole. */
export function readMultiRead(reader: JuteReader): ReadOf<'multiRead'> {
  const reads: ReadRequest[] = []
  while (!reader.failed) {
    const header = readMultiHeader(reader)
    if (header.done) break
    if (header.type === Opcode.getData) reads.push(readGetData(reader))
    else if (header.type === Opcode.getChildren) reads.push(readGetChildren(reader))
    else reader.fail()
  }
  return { kind: 'multiRead', reads }
}

export function writeMultiRead(writer: JuteWriter, multi: ReadOf<'multiRead'>): void {
  for (const read of multi.reads) {
    if (read.kind === 'getData') {
      writeMultiHeader(writer, Opcode.getData, false, -1)
      writeGetData(writer, read)
    } else {
      assert(read.kind === 'getChildren', `a multiRead carries no ${read.kind}`)
      writeMultiHeader(writer, Opcode.getChildren, false, -1)
      writeGetChildren(writer, read)
    }
  }
  writeMultiHeader(writer, -1, true, -1)
}

/** The reply: each item answers for itself, with its result or its error. */
export function writeMultiReadReply(writer: JuteWriter, multi: ReadResultOf<'multiRead'>): void {
  for (const result of multi.results) {
    if (result.kind === 'getData') {
      writeMultiHeader(writer, Opcode.getData, false, 0)
      writeGetDataReply(writer, result)
    } else if (result.kind === 'getChildren') {
      writeMultiHeader(writer, Opcode.getChildren, false, 0)
      writeGetChildrenReply(writer, result)
    } else {
      assert(result.kind === 'error', `a multiRead gives no ${result.kind}`)
      writeMultiHeader(writer, Opcode.error, false, result.code)
      writer.int(result.code)
    }
  }
  writeMultiHeader(writer, -1, true, -1)
}

/** Data are views into the input. */
export function readMultiReadReply(reader: JuteReader): ReadResultOf<'multiRead'> {
  const results: ReadResult[] = []
  while (!reader.failed) {
    const header = readMultiHeader(reader)
    if (header.done) break
    if (header.type === Opcode.getData) results.push(readGetDataReply(reader))
    else if (header.type === Opcode.getChildren) results.push(readGetChildrenReply(reader))
    else if (header.type === Opcode.error) {
      results.push({ kind: 'error', code: toErrorCode(reader.int()) })
    } else reader.fail()
  }
  return { kind: 'multiRead', results }
}

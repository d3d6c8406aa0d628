import type { Operation, OperationResult } from '../../core/machine/operation.ts'
import type { JuteReader, JuteWriter } from '../jute.ts'
import { readStat, writeStat } from '../records.ts'

type SetData = Extract<Operation, { kind: 'setData' }>
type SetDataResult = Extract<OperationResult, { kind: 'setData' }>

/**
 * Body of setData (5): path, data, version (-1 any). The data is a view into the input. A null path is an
 * empty one, which no znode has: bad arguments, as in ZooKeeper.
 */
export function readSetData(reader: JuteReader): SetData {
  return {
    kind: 'setData',
    path: reader.ustring() ?? '',
    data: reader.buffer(),
    version: reader.int(),
  }
}

export function writeSetData(writer: JuteWriter, operation: SetData): void {
  writer.ustring(operation.path)
  writer.buffer(operation.data)
  writer.int(operation.version)
}

export function writeSetDataReply(writer: JuteWriter, result: SetDataResult): void {
  writeStat(writer, result.stat)
}

export function readSetDataReply(reader: JuteReader): SetDataResult {
  return { kind: 'setData', stat: readStat(reader) }
}

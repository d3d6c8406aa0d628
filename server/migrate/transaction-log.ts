import { limits } from '../limits.ts'
import { adler32 } from './adler32.ts'
import { ByteWindow } from './byte-window.ts'
import { fileChunks } from './file-chunks.ts'
import { damaged, unsupported } from './refusals.ts'
import { decodeTransaction, type Transaction } from './transaction.ts'

const MAGIC = 'ZKLG'
const VERSION = 2
const FILE_HEADER_BYTES = 16
/** Checksum (8) and length (4). */
const RECORD_HEADER_BYTES = 12
/** Session, cxid, zxid, time and type: no transaction is shorter. */
const TRANSACTION_BYTES_MIN = 32
/** Stands behind each record that was written to its end. */
const END_OF_RECORD = 0x42

/**
 * The transactions of one log file (FileTxnLog of 3.9.5), in order. It ends before the zeros that
 * ZooKeeper has laid out ahead, or at a record that was not written to its end, which `note` is told.
 * Whatever else is wrong rejects with a CodedError that names file and offset: a checksum that does
 * not match, and anything after which there are whole records.
 */
export async function* readTransactionLog(
  path: string,
  note: (sentence: string) => void,
): AsyncGenerator<Transaction> {
  const window = new ByteWindow(path, fileChunks(path))
  try {
    if (!(await readHeader(path, window, note))) return
    for (;;) {
      const at = window.position
      const record = await readRecord(path, window)
      if (record === null) return await judgeEnd(path, window, at, note)
      yield decoded(path, at, record)
    }
  } finally {
    await window.close()
  }
}

/** False: the server ended before it had written one. */
async function readHeader(
  path: string,
  window: ByteWindow,
  note: (sentence: string) => void,
): Promise<boolean> {
  if (!(await window.has(FILE_HEADER_BYTES))) {
    note(`${path}: the file ends within its header, and is taken as empty`)
    return false
  }
  const header = await window.take(FILE_HEADER_BYTES)
  if (header.toString('latin1', 0, 4) !== MAGIC) {
    throw damaged(path, 0, 'this is no transaction log')
  }
  const version = header.readInt32BE(4)
  if (version !== VERSION) throw unsupported(path, 4, `log format ${version}`)
  return true
}

/** The content of the next record; null, with nothing taken, when there is no whole one. */
async function readRecord(path: string, window: ByteWindow): Promise<Buffer | null> {
  const length = await recordLength(window)
  if (length === null) return null
  const at = window.position
  const record = await window.take(RECORD_HEADER_BYTES + length + 1)
  if (isValid(record)) return record.subarray(RECORD_HEADER_BYTES, -1)
  throw damaged(
    path,
    at,
    'the checksum of a record does not match; take the directory of another server of the ensemble',
  )
}

/** Of a record that begins here and was written to its end; null where there is none. */
async function recordLength(window: ByteWindow): Promise<number | null> {
  if (!(await window.has(RECORD_HEADER_BYTES))) return null
  const length = window.ahead.readInt32BE(8)
  if (length < TRANSACTION_BYTES_MIN || length > limits.migratedRecordBytesMax) return null
  if (!(await window.has(RECORD_HEADER_BYTES + length + 1))) return null
  return window.ahead[RECORD_HEADER_BYTES + length] === END_OF_RECORD ? length : null
}

function isValid(record: Buffer): boolean {
  const content = record.subarray(RECORD_HEADER_BYTES, -1)
  return record.readBigInt64BE(0) === BigInt(adler32(content))
}

function decoded(path: string, at: number, content: Buffer): Transaction {
  const transaction = decodeTransaction(content)
  if (!('detail' in transaction)) return transaction
  const { detail, known } = transaction
  throw known ? damaged(path, at, detail) : unsupported(path, at, detail)
}

/**
 * Where there is no whole record any more: zeros to the end are what ZooKeeper laid out, other bytes
 * a record that it was writing. It writes in order, so a whole record behind them means damage.
 */
async function judgeEnd(
  path: string,
  window: ByteWindow,
  end: number,
  note: (sentence: string) => void,
): Promise<void> {
  let zeros = true
  while (await window.has(1)) {
    const ahead = window.ahead
    zeros &&= ahead.every((byte) => byte === 0)
    const candidate = zeros ? -1 : candidateIn(ahead)
    if (candidate === -1) {
      // A header may begin in the last bytes that are at hand.
      const all = ahead.length < RECORD_HEADER_BYTES
      if (all && !(await window.has(RECORD_HEADER_BYTES))) break
      if (!all) window.skip(ahead.length - RECORD_HEADER_BYTES + 1)
      continue
    }
    window.skip(candidate)
    const length = await recordLength(window)
    if (length !== null && isValid(window.ahead.subarray(0, RECORD_HEADER_BYTES + length + 1))) {
      const where = `a whole record follows at offset ${window.position}`
      throw damaged(path, end, `a record is damaged, and ${where}`)
    }
    window.skip(1)
  }
  if (!zeros)
    note(`${path}: the record at offset ${end} was not written to its end, and is left out`)
}

/** Where in `bytes` a record could begin: a checksum of 32 bits and a length that makes sense. */
function candidateIn(bytes: Buffer): number {
  for (let at = 0; at + RECORD_HEADER_BYTES <= bytes.length; at += 1) {
    if (bytes[at] !== 0 || bytes.readInt32BE(at) !== 0) continue
    const length = bytes.readInt32BE(at + 8)
    if (length >= TRANSACTION_BYTES_MIN && length <= limits.migratedRecordBytesMax) return at
  }
  return -1
}

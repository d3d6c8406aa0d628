import { Opcode } from '../wire/opcode.ts'
import type { ReadRequest } from '../wire/read.ts'
import type { Answerable } from './request-queue.ts'

/** What one connection's requests were like, since its start or the last `crst`; `cons` shows it. */
export class RequestStats {
  received = 0
  sent = 0
  /** ZooKeeper's four letters for the last request that was answered. */
  lastOperation = 'NA'
  /** The last xid of a client's own request; -1 before the first. */
  lastCxid = -1
  lastZxid = -1
  /** On the monotonic clock, as ZooKeeper has it. */
  lastResponseMs = 0
  lastLatencyMs = 0
  #count = 0
  #sumMs = 0
  #minMs = 0
  #maxMs = 0

  answered(
    operation: string,
    at: {
      readonly xid: number
      readonly zxid: number
      readonly receivedAtMs: number
      readonly nowMs: number
    },
  ): void {
    const latencyMs = at.nowMs - at.receivedAtMs
    // Pings and their like have xids below 0, and are no request of the client's own.
    if (at.xid >= 0) this.lastCxid = at.xid
    this.lastOperation = operation
    this.lastZxid = at.zxid
    this.lastResponseMs = at.nowMs
    this.lastLatencyMs = latencyMs
    if (this.#count === 0 || latencyMs < this.#minMs) this.#minMs = latencyMs
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs
    this.#count += 1
    this.#sumMs += latencyMs
  }

  get minLatencyMs(): number {
    return this.#minMs
  }

  get averageLatencyMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count
  }

  get maxLatencyMs(): number {
    return this.#maxMs
  }

  reset(): void {
    Object.assign(this, {
      received: 0,
      sent: 0,
      lastOperation: 'NA',
      lastCxid: -1,
      lastZxid: -1,
      lastResponseMs: 0,
      lastLatencyMs: 0,
    })
    this.#count = 0
    this.#sumMs = 0
    this.#minMs = 0
    this.#maxMs = 0
  }
}

const READS: Readonly<Record<ReadRequest['kind'], string>> = {
  exists: 'EXIS',
  getData: 'GETD',
  getAcl: 'GETA',
  getChildren: 'GETC',
  getChildren2: 'GETC',
  getAllChildrenNumber: 'GETACN',
  getEphemerals: 'GETE',
  multiRead: 'MLTR',
}

const WRITES: ReadonlyMap<number, string> = new Map([
  [Opcode.delete, 'DELE'],
  [Opcode.setData, 'SETD'],
  [Opcode.setAcl, 'SETA'],
  [Opcode.multi, 'MULT'],
  [Opcode.check, 'CHEC'],
  [Opcode.reconfig, 'RECO'],
])

const OTHERS = {
  closeSession: 'CLOS',
  sync: 'SYNC',
  addWatch: 'ADDW',
  removeWatches: 'REMW',
  checkWatches: 'CHKW',
  whoAmI: 'HOMI',
  reconfig: 'RECO',
} as const

/** The name that `cons` has for a request (`lop`). */
export function operationName(request: Answerable): string {
  switch (request.kind) {
    case 'read':
      return READS[request.read.kind]
    case 'write':
      // What is left are the ways to create.
      return WRITES.get(request.opcode) ?? 'CREA'
    case 'setWatches':
      return request.opcode === Opcode.setWatches2 ? 'STW2' : 'SETW'
    case 'malformed':
    case 'unimplemented':
      return 'NA'
    default:
      return OTHERS[request.kind]
  }
}

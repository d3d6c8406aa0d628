/** ZooKeeper's request types (ZooDefs.OpCode of 3.9, reference B1). */
export const Opcode = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  /** Made by servers alone; from a client it is unimplemented. */
  deleteContainer: 20,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  /** Made by servers alone. */
  createSession: -10,
  closeSession: -11,
  error: -1,
} as const

/** The xids with a meaning of their own (reference B3); any other is the client's, and echoed. */
export const Xid = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const

const NAMES = new Map<number, string>(Object.entries(Opcode).map(([name, code]) => [code, name]))

/** The name of an opcode for logs and metrics, `unknown` where it has none. */
export function opcodeName(opcode: number): string {
  return NAMES.get(opcode) ?? 'unknown'
}

import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { OperationResult } from '../../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import type { Stat } from '../../../server/core/tree/stat.ts'
import type { ReplyBody, SentRequest } from '../../../server/wire/client-codec.ts'
import type { ReadResult } from '../../../server/wire/read.ts'

const STAT: Stat = {
  czxid: 1,
  mzxid: 2,
  ctimeMs: 1_700_000_000_000,
  mtimeMs: 1_700_000_000_001,
  version: 3,
  cversion: 4,
  aversion: 5,
  ephemeralOwner: 6,
  dataLength: 7,
  numChildren: 8,
  pzxid: 9,
}

/** The same 68 bytes, field by field. */
const STAT_HEX = `
  0000000000000001 0000000000000002 0000018bcfe56800 0000018bcfe56801
  00000003 00000004 00000005 0000000000000006 00000007 00000008 0000000000000009`

/** vector of one ACL: 31, "world", "anyone". */
const OPEN_ACL_HEX = '00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65'
/** MultiHeader(-1, true, -1). */
const MULTI_END = 'ffffffff 01 ffffffff'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

export interface Fixture {
  readonly name: string
  readonly request: SentRequest
  /** xid, opcode and body. */
  readonly requestHex: string
  /** The body of a successful reply, '' for none; and what it stands for. */
  readonly replyHex: string
  readonly reply: ReplyBody
  /** How the server writes it: absent where a dedicated function does. */
  readonly write?: OperationResult
  readonly read?: ReadResult
}

const written = (result: OperationResult) => ({ reply: result, write: result })
const readBack = (result: ReadResult) => ({ reply: result, read: result })
const NONE: ReplyBody = { kind: 'none' }

export const WRITES: readonly Fixture[] = [
  {
    name: 'create, ephemeral and sequential, open ACL',
    request: {
      kind: 'write',
      xid: 7,
      opcode: 1,
      operation: {
        kind: 'create',
        path: '/a',
        data: bytes(0x78, 0x79),
        acl: OPEN_ACL,
        mode: 'ephemeral',
        sequential: true,
        ttlMs: 0,
        withStat: false,
      },
    },
    requestHex: `00000007 00000001 00000002 2f61 00000002 7879 ${OPEN_ACL_HEX} 00000003`,
    replyHex: '0000000c 2f6130303030303030303130',
    ...written({ kind: 'create', path: '/a0000000010', stat: null }),
  },
  {
    name: 'create2, null data, two ACL entries',
    request: {
      kind: 'write',
      xid: 8,
      opcode: 15,
      operation: {
        kind: 'create',
        path: '/ü',
        data: null,
        acl: [
          { permissions: 1, scheme: 'ip', id: '10.0.0.0/8' },
          { permissions: 16, scheme: 'digest', id: '' },
        ],
        mode: 'persistent',
        sequential: false,
        ttlMs: 0,
        withStat: true,
      },
    },
    requestHex: `00000008 0000000f 00000003 2fc3bc ffffffff
      00000002 00000001 00000002 6970 0000000a 31302e302e302e302f38
      00000010 00000006 646967657374 00000000 00000000`,
    replyHex: `00000003 2fc3bc ${STAT_HEX}`,
    ...written({ kind: 'create', path: '/ü', stat: STAT }),
  },
  {
    name: 'createContainer, empty data, no ACL',
    request: {
      kind: 'write',
      xid: 9,
      opcode: 19,
      operation: {
        kind: 'create',
        path: '/c',
        data: bytes(),
        acl: [],
        mode: 'container',
        sequential: false,
        ttlMs: 0,
        withStat: true,
      },
    },
    requestHex: '00000009 00000013 00000002 2f63 00000000 00000000 00000004',
    replyHex: `00000002 2f63 ${STAT_HEX}`,
    ...written({ kind: 'create', path: '/c', stat: STAT }),
  },
  {
    name: 'createTTL, sequential',
    request: {
      kind: 'write',
      xid: 10,
      opcode: 21,
      operation: {
        kind: 'create',
        path: '/t',
        data: bytes(1),
        acl: OPEN_ACL,
        mode: 'ttl',
        sequential: true,
        ttlMs: 5000,
        withStat: true,
      },
    },
    requestHex: `0000000a 00000015 00000002 2f74 00000001 01 ${OPEN_ACL_HEX} 00000006
      0000000000001388`,
    replyHex: `00000002 2f74 ${STAT_HEX}`,
    ...written({ kind: 'create', path: '/t', stat: STAT }),
  },
  {
    name: 'delete',
    request: {
      kind: 'write',
      xid: 11,
      opcode: 2,
      operation: { kind: 'delete', path: '/a', version: -1 },
    },
    requestHex: '0000000b 00000002 00000002 2f61 ffffffff',
    replyHex: '',
    ...written({ kind: 'delete' }),
  },
  {
    name: 'setData',
    request: {
      kind: 'write',
      xid: -77,
      opcode: 5,
      operation: { kind: 'setData', path: '/a', data: bytes(0, 255), version: 3 },
    },
    requestHex: 'ffffffb3 00000005 00000002 2f61 00000002 00ff 00000003',
    replyHex: STAT_HEX,
    ...written({ kind: 'setData', stat: STAT }),
  },
  {
    name: 'setACL',
    request: {
      kind: 'write',
      xid: 13,
      opcode: 7,
      operation: { kind: 'setAcl', path: '/a', acl: OPEN_ACL, version: 2 },
    },
    requestHex: `0000000d 00000007 00000002 2f61 ${OPEN_ACL_HEX} 00000002`,
    replyHex: STAT_HEX,
    ...written({ kind: 'setAcl', stat: STAT }),
  },
  {
    name: 'multi of every kind',
    request: {
      kind: 'write',
      xid: 15,
      opcode: 14,
      operation: {
        kind: 'multi',
        operations: [
          {
            kind: 'create',
            path: '/m',
            data: null,
            acl: OPEN_ACL,
            mode: 'persistent',
            sequential: false,
            ttlMs: 0,
            withStat: false,
          },
          {
            kind: 'create',
            path: '/n',
            data: null,
            acl: OPEN_ACL,
            mode: 'persistent',
            sequential: true,
            ttlMs: 0,
            withStat: true,
          },
          { kind: 'setData', path: '/m', data: bytes(9), version: 0 },
          { kind: 'check', path: '/m', version: 1 },
          { kind: 'delete', path: '/m', version: 1 },
        ],
      },
    },
    requestHex: `0000000f 0000000e
      00000001 00 ffffffff 00000002 2f6d ffffffff ${OPEN_ACL_HEX} 00000000
      0000000f 00 ffffffff 00000002 2f6e ffffffff ${OPEN_ACL_HEX} 00000002
      00000005 00 ffffffff 00000002 2f6d 00000001 09 00000000
      0000000d 00 ffffffff 00000002 2f6d 00000001
      00000002 00 ffffffff 00000002 2f6d 00000001
      ${MULTI_END}`,
    replyHex: `
      00000001 00 00000000 00000002 2f6d
      0000000f 00 00000000 00000003 2f6e30 ${STAT_HEX}
      00000005 00 00000000 ${STAT_HEX}
      0000000d 00 00000000
      00000002 00 00000000
      ${MULTI_END}`,
    ...written({
      kind: 'multi',
      results: [
        { kind: 'create', path: '/m', stat: null },
        { kind: 'create', path: '/n0', stat: STAT },
        { kind: 'setData', stat: STAT },
        { kind: 'check' },
        { kind: 'delete' },
      ],
    }),
  },
  {
    name: 'multi that failed at its second operation',
    request: {
      kind: 'write',
      xid: 16,
      opcode: 14,
      operation: {
        kind: 'multi',
        operations: [
          { kind: 'delete', path: '/a', version: -1 },
          { kind: 'delete', path: '/b', version: -1 },
          { kind: 'delete', path: '/c', version: -1 },
        ],
      },
    },
    requestHex: `00000010 0000000e
      00000002 00 ffffffff 00000002 2f61 ffffffff
      00000002 00 ffffffff 00000002 2f62 ffffffff
      00000002 00 ffffffff 00000002 2f63 ffffffff
      ${MULTI_END}`,
    replyHex: `
      ffffffff 00 00000000 00000000
      ffffffff 00 ffffff9b ffffff9b
      ffffffff 00 fffffffe fffffffe
      ${MULTI_END}`,
    ...written({
      kind: 'multi',
      results: [
        { kind: 'error', code: ErrorCode.ok },
        { kind: 'error', code: ErrorCode.noNode },
        { kind: 'error', code: ErrorCode.runtimeInconsistency },
      ],
    }),
  },
  {
    name: 'empty multi',
    request: { kind: 'write', xid: 17, opcode: 14, operation: { kind: 'multi', operations: [] } },
    requestHex: `00000011 0000000e ${MULTI_END}`,
    replyHex: MULTI_END,
    ...written({ kind: 'multi', results: [] }),
  },
  {
    name: 'closeSession',
    request: { kind: 'closeSession', xid: 18, opcode: -11 },
    requestHex: '00000012 fffffff5',
    replyHex: '',
    ...written({ kind: 'none' }),
  },
]

export const READS: readonly Fixture[] = [
  {
    name: 'exists',
    request: {
      kind: 'read',
      xid: 1,
      opcode: 3,
      read: { kind: 'exists', path: '/a', watch: true },
    },
    requestHex: '00000001 00000003 00000002 2f61 01',
    replyHex: STAT_HEX,
    ...readBack({ kind: 'exists', stat: STAT }),
  },
  {
    name: 'getData of null data',
    request: {
      kind: 'read',
      xid: 2,
      opcode: 4,
      read: { kind: 'getData', path: '/a', watch: false },
    },
    requestHex: '00000002 00000004 00000002 2f61 00',
    replyHex: `ffffffff ${STAT_HEX}`,
    ...readBack({ kind: 'getData', data: null, stat: STAT }),
  },
  {
    name: 'getData',
    request: {
      kind: 'read',
      xid: 3,
      opcode: 4,
      read: { kind: 'getData', path: '/', watch: true },
    },
    requestHex: '00000003 00000004 00000001 2f 01',
    replyHex: `00000003 010203 ${STAT_HEX}`,
    ...readBack({ kind: 'getData', data: bytes(1, 2, 3), stat: STAT }),
  },
  {
    name: 'getACL',
    request: { kind: 'read', xid: 4, opcode: 6, read: { kind: 'getAcl', path: '/a' } },
    requestHex: '00000004 00000006 00000002 2f61',
    replyHex: `${OPEN_ACL_HEX} ${STAT_HEX}`,
    ...readBack({ kind: 'getAcl', acl: OPEN_ACL, stat: STAT }),
  },
  {
    name: 'getChildren',
    request: {
      kind: 'read',
      xid: 5,
      opcode: 8,
      read: { kind: 'getChildren', path: '/a', watch: true },
    },
    requestHex: '00000005 00000008 00000002 2f61 01',
    replyHex: '00000002 00000001 62 00000002 6363',
    ...readBack({ kind: 'getChildren', children: ['b', 'cc'] }),
  },
  {
    name: 'getChildren2',
    request: {
      kind: 'read',
      xid: 6,
      opcode: 12,
      read: { kind: 'getChildren2', path: '/a', watch: false },
    },
    requestHex: '00000006 0000000c 00000002 2f61 00',
    replyHex: `00000000 ${STAT_HEX}`,
    ...readBack({ kind: 'getChildren2', children: [], stat: STAT }),
  },
  {
    name: 'getEphemerals',
    request: { kind: 'read', xid: 7, opcode: 103, read: { kind: 'getEphemerals', prefix: '/a' } },
    requestHex: '00000007 00000067 00000002 2f61',
    replyHex: '00000001 00000004 2f612f62',
    ...readBack({ kind: 'getEphemerals', paths: ['/a/b'] }),
  },
  {
    name: 'getAllChildrenNumber',
    request: {
      kind: 'read',
      xid: 8,
      opcode: 104,
      read: { kind: 'getAllChildrenNumber', path: '/' },
    },
    requestHex: '00000008 00000068 00000001 2f',
    replyHex: '00010000',
    ...readBack({ kind: 'getAllChildrenNumber', count: 65_536 }),
  },
  {
    name: 'multiRead',
    request: {
      kind: 'read',
      xid: 9,
      opcode: 22,
      read: {
        kind: 'multiRead',
        reads: [
          { kind: 'getData', path: '/a', watch: false },
          { kind: 'getChildren', path: '/a', watch: false },
          { kind: 'getData', path: '/b', watch: false },
        ],
      },
    },
    requestHex: `00000009 00000016
      00000004 00 ffffffff 00000002 2f61 00
      00000008 00 ffffffff 00000002 2f61 00
      00000004 00 ffffffff 00000002 2f62 00
      ${MULTI_END}`,
    replyHex: `
      00000004 00 00000000 00000001 07 ${STAT_HEX}
      00000008 00 00000000 00000001 00000001 62
      ffffffff 00 ffffff9b ffffff9b
      ${MULTI_END}`,
    ...readBack({
      kind: 'multiRead',
      results: [
        { kind: 'getData', data: bytes(7), stat: STAT },
        { kind: 'getChildren', children: ['b'] },
        { kind: 'error', code: ErrorCode.noNode },
      ],
    }),
  },
]

/** Requests about the connection itself; the reply is written by a function of its own. */
export const OTHERS: readonly Fixture[] = [
  {
    name: 'sync',
    request: { kind: 'sync', xid: 1, opcode: 9, path: '/nope' },
    requestHex: '00000001 00000009 00000005 2f6e6f7065',
    replyHex: '00000005 2f6e6f7065',
    reply: { kind: 'sync', path: '/nope' },
  },
  {
    name: 'ping',
    request: { kind: 'ping', xid: -2, opcode: 11 },
    requestHex: 'fffffffe 0000000b',
    replyHex: '',
    reply: NONE,
  },
  {
    name: 'auth',
    request: {
      kind: 'auth',
      xid: -4,
      opcode: 100,
      scheme: 'digest',
      auth: bytes(0x75, 0x3a, 0x70),
    },
    requestHex: 'fffffffc 00000064 00000000 00000006 646967657374 00000003 753a70',
    replyHex: '',
    reply: NONE,
  },
  {
    name: 'setWatches',
    request: {
      kind: 'setWatches',
      xid: -8,
      opcode: 101,
      relativeZxid: 256,
      data: ['/d'],
      exist: [],
      child: ['/c', '/e'],
      persistent: [],
      persistentRecursive: [],
    },
    requestHex: `fffffff8 00000065 0000000000000100
      00000001 00000002 2f64 00000000 00000002 00000002 2f63 00000002 2f65`,
    replyHex: '',
    reply: NONE,
  },
  {
    name: 'setWatches2',
    request: {
      kind: 'setWatches',
      xid: -8,
      opcode: 105,
      relativeZxid: 0,
      data: [],
      exist: ['/x'],
      child: [],
      persistent: ['/p'],
      persistentRecursive: ['/'],
    },
    requestHex: `fffffff8 00000069 0000000000000000
      00000000 00000001 00000002 2f78 00000000 00000001 00000002 2f70 00000001 00000001 2f`,
    replyHex: '',
    reply: NONE,
  },
  {
    name: 'addWatch',
    request: { kind: 'addWatch', xid: 6, opcode: 106, path: '/a', mode: 1 },
    requestHex: '00000006 0000006a 00000002 2f61 00000001',
    replyHex: '00000000',
    reply: NONE,
  },
  {
    name: 'removeWatches',
    request: { kind: 'removeWatches', xid: 7, opcode: 18, path: '/a', type: 3 },
    requestHex: '00000007 00000012 00000002 2f61 00000003',
    replyHex: '',
    reply: NONE,
  },
  {
    name: 'checkWatches',
    request: { kind: 'checkWatches', xid: 8, opcode: 17, path: '/a', type: 5 },
    requestHex: '00000008 00000011 00000002 2f61 00000005',
    replyHex: '',
    reply: NONE,
  },
  {
    name: 'whoAmI',
    request: { kind: 'whoAmI', xid: 9, opcode: 107 },
    requestHex: '00000009 0000006b',
    replyHex: '00000001 00000002 6970 00000009 3132372e302e302e31',
    reply: { kind: 'whoAmI', identities: [{ scheme: 'ip', id: '127.0.0.1' }] },
  },
  {
    name: 'reconfig',
    request: {
      kind: 'reconfig',
      xid: 10,
      opcode: 16,
      joining: 'server.5=h:1:2',
      leaving: null,
      newMembers: '',
      configId: -1,
    },
    requestHex: `0000000a 00000010 0000000e 7365727665722e353d683a313a32 ffffffff 00000000
      ffffffffffffffff`,
    replyHex: `00000001 41 ${STAT_HEX}`,
    reply: { kind: 'reconfig', data: bytes(0x41), stat: STAT },
  },
  {
    name: 'sasl',
    request: { kind: 'sasl', xid: 11, opcode: 102, token: bytes(5, 6) },
    requestHex: '0000000b 00000066 00000002 0506',
    replyHex: 'ffffffff',
    reply: { kind: 'sasl', token: null },
  },
]

export const ALL: readonly Fixture[] = [...WRITES, ...READS, ...OTHERS]

import fc from 'fast-check'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Operation, Request } from '../../../server/core/machine/operation.ts'
import type { SnapshotRecord } from '../../../server/core/machine/snapshot.ts'
import type {
  Entry,
  HardState,
  Member,
  Message,
  SnapshotMeta,
} from '../../../server/core/raft/message.ts'
import { type Acl, type Identity, OPEN_ACL } from '../../../server/core/tree/acl.ts'
import type { Stat } from '../../../server/core/tree/stat.ts'
import { ZnodeMode } from '../../../server/core/tree/tree.ts'
import type { ClientWrite } from '../../../server/wire/client-codec.ts'
import type { Hello, PeerFrame } from '../../../server/wire/peer-frame.ts'
import type { ReadRequest, ReadResult } from '../../../server/wire/read.ts'

export const natural = fc.oneof(
  fc.nat(200),
  fc.maxSafeNat(),
  fc.constantFrom(0, 127, 128, 16_383, 16_384, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
)
export const int32 = fc.integer()
/** Strings without lone surrogates, short and long, ASCII and not. */
export const text = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
)
const data = fc.uint8Array({ maxLength: 60 })
export const dataOrNull = fc.option(data)

const identity: fc.Arbitrary<Identity> = fc.record({
  scheme: fc.oneof(fc.constantFrom('world', 'ip', 'digest', 'super'), text),
  id: text,
})
const acl: fc.Arbitrary<Acl> = fc.oneof(
  fc.constant(OPEN_ACL),
  fc.array(fc.record({ permissions: int32, scheme: fc.oneof(fc.constant('ip'), text), id: text }), {
    maxLength: 4,
  }),
)
export const errorCode = fc.constantFrom(...Object.values(ErrorCode))

export const stat: fc.Arbitrary<Stat> = fc.record({
  czxid: natural,
  mzxid: natural,
  ctimeMs: natural,
  mtimeMs: natural,
  version: int32,
  cversion: int32,
  aversion: int32,
  ephemeralOwner: natural,
  dataLength: fc.nat(),
  numChildren: fc.nat(),
  pzxid: natural,
})

const create = fc
  .record({
    kind: fc.constant('create' as const),
    path: text,
    data: dataOrNull,
    acl,
    mode: fc.constantFrom('persistent' as const, 'ephemeral', 'container', 'ttl'),
    sequential: fc.boolean(),
    ttlMs: natural,
    withStat: fc.boolean(),
  })
  .map((operation) => ({ ...operation, ttlMs: operation.mode === 'ttl' ? operation.ttlMs : 0 }))

const deletion = fc.record({ kind: fc.constant('delete' as const), path: text, version: int32 })
const check = fc.record({ kind: fc.constant('check' as const), path: text, version: int32 })
const setData = fc.record({
  kind: fc.constant('setData' as const),
  path: text,
  data: dataOrNull,
  version: int32,
})
const setAcl = fc.record({
  kind: fc.constant('setAcl' as const),
  path: text,
  acl,
  version: int32,
})
const error = fc.record({ kind: fc.constant('error' as const), code: errorCode })

const operation: fc.Arbitrary<Operation> = fc.oneof(
  create,
  deletion,
  check,
  setData,
  setAcl,
  error,
  fc.record({
    kind: fc.constant('multi' as const),
    operations: fc.array(fc.oneof(create, deletion, check, setData, error), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('deleteContainer' as const), path: text }),
  fc.record({
    kind: fc.constant('deleteUnusedContainer' as const),
    path: text,
    unusedMs: natural,
  }),
  fc.record({ kind: fc.constant('setConfig' as const), servers: data }),
  fc.record({
    kind: fc.constantFrom('createSession' as const, 'attachSession' as const),
    timeoutMs: int32,
    password: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  }),
  fc.record({ kind: fc.constant('renewSession' as const), timeoutMs: natural }),
  fc.constant({ kind: 'closeSession' } as const),
  fc.record({
    kind: fc.constant('expireSession' as const),
    target: natural,
    decidedTerm: natural,
    ownerOrigin: natural,
    ownerConnection: natural,
  }),
  fc.record({ kind: fc.constant('setClusterVersion' as const), version: natural }),
)

export const request: fc.Arbitrary<Request> = fc.record({
  session: natural,
  origin: natural,
  connection: natural,
  ticket: natural,
  identities: fc.array(identity, { maxLength: 3 }),
  operation,
})

/** Creations as the wire can carry them: what the opcode implies is so. */
const sentCreate = create.map((operation) => {
  const withStat = operation.withStat || ['ttl', 'container'].includes(operation.mode)
  if (operation.mode === 'ttl') {
    return { ...operation, withStat, ttlMs: 1 + (operation.ttlMs % (2 ** 40 - 1)) }
  }
  return operation.mode === 'container'
    ? { ...operation, withStat, sequential: false }
    : { ...operation, withStat }
})

export const clientWrite: fc.Arbitrary<ClientWrite> = fc.oneof(
  sentCreate,
  deletion,
  setData,
  setAcl,
  fc.record({
    kind: fc.constant('multi' as const),
    operations: fc.array(fc.oneof(sentCreate, deletion, check, setData), { maxLength: 5 }),
  }),
)

const watched = <Kind extends ReadRequest['kind']>(kind: Kind) =>
  fc.record({ kind: fc.constant(kind), path: text, watch: fc.boolean() })

export const read: fc.Arbitrary<ReadRequest> = fc.oneof(
  watched('exists' as const),
  watched('getData' as const),
  watched('getChildren' as const),
  watched('getChildren2' as const),
  fc.record({ kind: fc.constant('getAcl' as const), path: text }),
  fc.record({ kind: fc.constant('getEphemerals' as const), prefix: text }),
  fc.record({ kind: fc.constant('getAllChildrenNumber' as const), path: text }),
  fc.record({
    kind: fc.constant('multiRead' as const),
    reads: fc.array(fc.oneof(watched('getData' as const), watched('getChildren' as const)), {
      maxLength: 4,
    }),
  }),
)

const names = fc.array(text, { maxLength: 4 })
const dataResult = fc.record({ kind: fc.constant('getData' as const), data: dataOrNull, stat })
const childrenResult = fc.record({ kind: fc.constant('getChildren' as const), children: names })
const failedItem = fc.record({ kind: fc.constant('error' as const), code: errorCode })

/** Results that have a body. */
export const readResult: fc.Arbitrary<ReadResult> = fc.oneof(
  dataResult,
  childrenResult,
  fc.record({ kind: fc.constant('exists' as const), stat }),
  fc.record({ kind: fc.constant('getAcl' as const), acl, stat }),
  fc.record({ kind: fc.constant('getChildren2' as const), children: names, stat }),
  fc.record({ kind: fc.constant('getEphemerals' as const), paths: names }),
  fc.record({ kind: fc.constant('getAllChildrenNumber' as const), count: int32 }),
  fc.record({
    kind: fc.constant('multiRead' as const),
    results: fc.array(fc.oneof(dataResult, childrenResult, failedItem), { maxLength: 4 }),
  }),
)

const member: fc.Arbitrary<Member> = fc.record({
  id: text,
  name: text,
  role: fc.constantFrom('voter' as const, 'learner' as const),
  observer: fc.boolean(),
  peerAddress: text,
  clientAddress: text,
  httpAddress: text,
})
/** Every kind of snapshot record. */
export const snapshotRecord: fc.Arbitrary<SnapshotRecord> = fc.oneof(
  fc.record({
    kind: fc.constant('header' as const),
    formatVersion: natural,
    index: natural,
    term: natural,
    zxid: natural,
    timeMs: natural,
    clusterVersion: natural,
  }),
  fc.record({
    kind: fc.constant('session' as const),
    session: fc.record({
      id: natural,
      timeoutMs: int32,
      password: data,
      origin: natural,
      connection: natural,
    }),
  }),
  fc.record({
    kind: fc.constant('znode' as const),
    znode: fc.record({
      path: text,
      data: dataOrNull,
      acl,
      mode: fc.constantFrom(...Object.values(ZnodeMode)),
      ttlMs: natural,
      owner: natural,
      czxid: natural,
      mzxid: natural,
      pzxid: natural,
      ctimeMs: natural,
      mtimeMs: natural,
      version: int32,
      aversion: int32,
      creations: int32,
    }),
  }),
  fc.record({
    kind: fc.constant('footer' as const),
    sessions: natural,
    znodes: natural,
    digest: text,
  }),
)

const members = fc.array(member, { maxLength: 4 })

export const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant('noop' as const), index: natural, term: natural }),
  fc.record({
    kind: fc.constant('requests' as const),
    index: natural,
    term: natural,
    payload: data,
  }),
  fc.record({ kind: fc.constant('membership' as const), index: natural, term: natural, members }),
)
export const hardState: fc.Arbitrary<HardState> = fc.record({
  term: natural,
  votedFor: fc.option(text),
  commit: natural,
})
export const snapshotMeta: fc.Arbitrary<SnapshotMeta> = fc.record({
  index: natural,
  term: natural,
  members,
})

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('preVote' as const, 'vote' as const),
    term: natural,
    lastIndex: natural,
    lastTerm: natural,
    transfer: fc.boolean(),
  }),
  fc.record({
    kind: fc.constantFrom('preVoteReply' as const, 'voteReply' as const),
    term: natural,
    granted: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('append' as const),
    term: natural,
    previousIndex: natural,
    previousTerm: natural,
    entries: fc.array(entry, { maxLength: 5 }),
    commit: natural,
  }),
  fc.record({
    kind: fc.constant('appendReply' as const),
    term: natural,
    success: fc.boolean(),
    index: natural,
    hintTerm: natural,
    previousIndex: natural,
  }),
  fc.record({
    kind: fc.constant('heartbeat' as const),
    term: natural,
    commit: natural,
    round: natural,
  }),
  fc.record({ kind: fc.constant('heartbeatReply' as const), term: natural, round: natural }),
  fc.record({ kind: fc.constant('timeoutNow' as const), term: natural }),
  fc.record({ kind: fc.constant('readIndex' as const), term: natural, context: natural }),
  fc.record({
    kind: fc.constant('readIndexReply' as const),
    term: natural,
    context: natural,
    index: fc.oneof(natural, fc.constant(-1)),
    accepted: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('snapshotReply' as const),
    term: natural,
    index: natural,
    success: fc.boolean(),
  }),
)

export const hello: fc.Arbitrary<Hello> = fc.record({
  name: text,
  id: text,
  clusterId: text,
  peerAddress: text,
  clientAddress: text,
  httpAddress: text,
  observer: fc.boolean(),
  versionMax: fc.nat(),
})

export const peerFrame: fc.Arbitrary<PeerFrame> = fc.oneof(
  fc.record({ kind: fc.constant('raft' as const), message }),
  fc.record({
    kind: fc.constant('forward' as const),
    stream: natural,
    term: natural,
    sequence: natural,
    count: fc.nat(),
    requests: data,
  }),
  fc.record({
    kind: fc.constant('forwardReply' as const),
    stream: natural,
    term: natural,
    expected: natural,
    accepted: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('touch' as const),
    term: natural,
    sequence: natural,
    sessions: fc.array(natural, { maxLength: 20 }),
  }),
  fc.record({ kind: fc.constant('touchReply' as const), term: natural, sequence: natural }),
  fc.record({
    kind: fc.constant('snapshotChunk' as const),
    term: natural,
    meta: snapshotMeta,
    offset: natural,
    data,
    last: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('snapshotChunkReply' as const),
    term: natural,
    index: natural,
    offset: natural,
  }),
  fc.record({ kind: fc.constant('join' as const), hello }),
  fc.record({
    kind: fc.constant('joinReply' as const),
    clusterId: text,
    leader: fc.option(text),
    members,
    refusal: fc.option(text),
  }),
  fc.record({ kind: fc.constant('transferRequest' as const), to: text }),
  fc.constant({ kind: 'leaving' } as const),
  fc.record({
    kind: fc.constant('reconfig' as const),
    ticket: natural,
    request: fc.record({
      joining: fc.option(text),
      leaving: fc.option(text),
      newMembers: fc.option(text),
      configId: natural,
    }),
    identities: fc.array(identity, { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('reconfigReply' as const),
    ticket: natural,
    code: fc.option(errorCode),
  }),
)

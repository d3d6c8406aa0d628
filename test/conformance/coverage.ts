import type { ErrorCode } from '../../server/core/machine/error-code.ts'
import type { Opcode } from '../../server/wire/opcode.ts'

/**
 * Which cases of the suite show what; coverage.test.ts holds it against the cases that there are, and
 * against the server. A case is "file of suite/: title", the title as it stands there.
 */
type Cases = readonly string[]

export const opcodeCases: Readonly<Record<keyof typeof Opcode, Cases>> = {
  notification: ['frames: does not know %s from a client'],
  create: ['creates: answers with the path, and the znode has the stat of its creation'],
  delete: ['data: answers without a body and takes the znode away'],
  exists: ['watches: tells of the creation of a znode that exists was asked for, and getData not'],
  getData: ['data: gives bytes back as they came'],
  setData: ['data: counts versions from 0 and changes mzxid, mtime and length alone'],
  getAcl: ['acls: masks digests for whoever may not change them'],
  setAcl: ['acls: gives the list of the creation, and counts its changes in aversion alone'],
  getChildren: ['data: lists the names of children alone, with the stat in getChildren2'],
  sync: ['data: answers sync with the path, even of a znode that is not there'],
  ping: ['sessions: answers a ping with its own xid, the last zxid and nothing more'],
  getChildren2: ['data: lists the names of children alone, with the stat in getChildren2'],
  check: [
    'multis: answers each operation by its type, all under one zxid',
    'data: does not know check outside a multi, and closes',
  ],
  multi: ['multis: answers each operation by its type, all under one zxid'],
  create2: ['creates: answers create2 with the path and the stat'],
  reconfig: ['reconfigurations: takes a server out, and in again'],
  checkWatches: ['later-operations: are found by checkWatches, by their kind'],
  removeWatches: ['later-operations: can be removed, once'],
  createContainer: ['later-operations: answers a container with path and stat'],
  deleteContainer: ['frames: refuses what servers alone ask'],
  createTtl: ['later-operations: answers createTTL with path and stat, owned by nobody'],
  multiRead: ['later-operations: answers each read of a multiRead, one that fails among them'],
  auth: ['acls: answers a digest with xid -4, zxid 0 and no error'],
  setWatches: ['set-watches: sends every event that was missed before its reply'],
  sasl: ['sasl: challenges, and proves itself to who has proved a password'],
  getEphemerals: ['later-operations: getEphemerals names those of the session under a prefix'],
  getAllChildrenNumber: ['later-operations: getAllChildrenNumber counts all descendants'],
  setWatches2: ['later-operations: come back by setWatches2'],
  addWatch: ['later-operations: stay, and tell of data and children'],
  whoAmI: ['later-operations: whoAmI names the address'],
  createSession: ['frames: refuses what servers alone ask'],
  closeSession: [
    'sessions: answers its close, then closes the connection; its ephemerals are gone everywhere',
  ],
  error: ['frames: does not know %s from a client'],
}

/** What no client sees, and why. */
type Unseen = { readonly unseen: string }

const CLIENT_LIBRARIES = { unseen: 'made by client libraries' }
const NOT_MADE = { unseen: 'not made by this server' }

export const errorCases: Readonly<Record<keyof typeof ErrorCode, Cases | Unseen>> = {
  ok: ['creates: answers with the path, and the znode has the stat of its creation'],
  systemError: { unseen: 'the result of an expiry that came too late, which nobody asked for' },
  runtimeInconsistency: [
    'multis: does nothing when one fails: 0 before it, its code, -2 after it, the header without error',
  ],
  dataInconsistency: NOT_MADE,
  connectionLoss: CLIENT_LIBRARIES,
  marshallingError: [
    'frames: answers a read that is too short with a marshalling error and goes on',
  ],
  unimplemented: ['frames: answers an unknown opcode with Unimplemented and zxid -1, then closes'],
  operationTimeout: CLIENT_LIBRARIES,
  badArguments: [
    'later-operations: refuses a time to live of nothing, and of more than 2^40 - 1 ms',
  ],
  unknownSession: NOT_MADE,
  newConfigNoQuorum: ['reconfigurations: refuses members of whom too few are there'],
  reconfigInProgress: ['reconfigurations: refuses a change while another is under way'],
  apiError: { unseen: 'what the command line takes a code for that it does not know' },
  noNode: ['data: refuses another version, and a znode that is not there'],
  noAuth: ['acls: answers NoAuth to every operation without its permission'],
  badVersion: ['data: refuses another version, and a znode that is not there'],
  noChildrenForEphemerals: [
    'creates: refuses what exists, what has no parent, and a child of an ephemeral',
  ],
  nodeExists: ['creates: refuses what exists, what has no parent, and a child of an ephemeral'],
  notEmpty: ['data: refuses what is missing, another version, and a parent of children'],
  sessionExpired: ['sessions: refuses a session that it does not know, then closes'],
  invalidCallback: NOT_MADE,
  invalidAcl: ['creates: refuses an empty, a null and an unknown ACL'],
  authFailed: ['acls: answers an unknown scheme with AuthFailed, then closes'],
  sessionMoved: ['sessions: moves to another server, and the connection that it left is closed'],
  notReadOnly: ['read-only: answers %s with NotReadOnly'],
  ephemeralOnLocalSession: NOT_MADE,
  noWatcher: ['later-operations: can be removed, once'],
  requestTimeout: CLIENT_LIBRARIES,
  reconfigDisabled: ['configurations: is changed by nobody where reconfig is not enabled'],
  sessionClosedRequireSaslAuth: ['sasl: tells who fails at sasl so, if sasl is demanded'],
  quotaExceeded: ['quotas: refuse a znode too many'],
  throttledOp: NOT_MADE,
}

/** What re-implementations of ZooKeeper get wrong. */
export const trapCases: readonly { readonly trap: string; readonly cases: Cases }[] = [
  {
    trap: "a sequential name counts the parent's creates of any kind, and no deletions",
    cases: [
      'creates: numbers sequential znodes by the creates of the parent, of any kind',
      'creates: does not count a refused create',
    ],
  },
  {
    trap: 'a write that failed takes a zxid, a read does not',
    cases: [
      'sessions: counts a refused write as a change of the log, and no read',
      'corners: what cannot be read takes a zxid where its turn has come',
    ],
  },
  {
    trap: 'replies come in order, and reads see the writes before them',
    cases: [
      'sessions: answers pipelined requests in their order, each seeing the writes before it',
    ],
  },
  {
    trap: 'an event comes before the reply that shows its change',
    cases: [
      'watches: sends the event before the reply to the write that caused it, with its zxid',
      'watches: reaches clients of every server, in the order of the changes',
      'watches: shows the new state to a read that follows the event',
    ],
  },
  {
    trap: 'watches fire once, one NodeDeleted for two of them, and in a multi each for itself',
    cases: [
      'watches: fires once for a watch that was set many times',
      'watches: tells of the creation of a znode that exists was asked for, and getData not',
      'watches: tells of children created and deleted, and of nothing else about them',
      'watches: sends one NodeDeleted for a data and a child watch, then the parent its own',
      'watches: sends the creation to the znode before the change to its parent',
      'watches: says nothing of a change of the ACL',
      'multis: fires the watches of each of its operations in order, and none when it fails',
    ],
  },
  {
    trap: 'persistent watches stay, recursive ones never tell of children, and both can be there',
    cases: [
      'later-operations: stay, and tell of data and children',
      'later-operations: recursive ones tell of every descendant and never of children',
      'later-operations: of both modes on one path tell of both, on a path that is not there yet',
      'later-operations: can be removed, once',
      'later-operations: come back by setWatches2',
    ],
  },
  {
    trap: 'setWatches makes up for what was missed, before its reply',
    cases: [
      'set-watches: sends every event that was missed before its reply',
      'set-watches: arms what has not changed since the zxid',
      'set-watches: makes up for a time away: a change, a creation and a deletion',
    ],
  },
  {
    trap: 'ephemerals have no children and go together; containers and TTL znodes are owned by nobody',
    cases: [
      'creates: refuses what exists, what has no parent, and a child of an ephemeral',
      'creates: makes a container through plain create, owned by nobody',
      'later-operations: answers createTTL with path and stat, owned by nobody',
      'sessions: answers its close, then closes the connection; its ephemerals are gone everywhere',
      'watches: tells of the ephemerals of a session that closes',
    ],
  },
  {
    trap: 'a session moves, and what it left is closed',
    cases: [
      'sessions: moves to another server, and the connection that it left is closed',
      'sessions: gives way to a second connection of the same session at the same server',
      'sessions: refuses a wrong password, then closes, and keeps the session',
    ],
  },
  {
    trap: 'the leader expires sessions, any packet keeps them, and they outlive the leader',
    cases: [
      'sessions: expires when it is silent for its timeout, not earlier, and lives while it pings',
      'restarts: keeps a session, with its ephemerals, over the loss of the leader',
    ],
  },
  {
    trap: 'pings are answered fast, whatever the others do',
    cases: ['sessions: answers pings at once while a herd of sessions comes and goes'],
  },
  {
    trap: 'paths are judged by their characters, in an order of checks',
    cases: [
      'paths: answers a null path with a marshalling error or bad arguments, and goes on',
      'paths: knows the znodes of a fresh tree',
      'paths: refuses to create the root, and lets its data be set',
      'corners: reads do not judge a path, but for exists with a NUL',
      'corners: a null path is a bad argument of some and cannot be read of others',
    ],
  },
  {
    trap: 'ACLs: empty ones, the scheme auth, whose permission counts, masked digests, filtered events',
    cases: [
      'creates: refuses an empty, a null and an unknown ACL',
      'acls: turns the scheme auth into the identities of the connection, whatever its id',
      'acls: answers NoAuth to every operation without its permission',
      'acls: masks digests for whoever may not change them',
      'watches: tells nobody of a znode that he may not read',
    ],
  },
  {
    trap: 'an authentication that fails closes the connection, and one that does not ends with it',
    cases: [
      'acls: answers a digest with xid -4, zxid 0 and no error',
      'acls: answers an unknown scheme with AuthFailed, then closes',
      'acls: forgets an authentication with the connection',
    ],
  },
  {
    trap: 'version -1 is any, versions start at 0 and again at 0',
    cases: [
      'data: counts versions from 0 and changes mzxid, mtime and length alone',
      'data: starts versions again at 0 for a znode that is created again',
    ],
  },
  {
    trap: 'an unknown opcode is answered, then the connection closed',
    cases: ['frames: answers an unknown opcode with Unimplemented and zxid -1, then closes'],
  },
  {
    trap: 'nothing that is logged ends a server',
    cases: ['later-operations: refuses createTTL without a TTL'],
  },
  {
    trap: 'a client never sees an older state than it has seen',
    cases: [
      'sessions: closes without an answer when the client has seen a later zxid',
      'sessions: accepts a client that has seen the newest zxid',
    ],
  },
  {
    trap: 'sync is a barrier',
    cases: ['sessions: shows on any server, after sync, what was acknowledged on another'],
  },
  {
    trap: 'a close is answered after all before it, and then the connection closed',
    cases: [
      'sessions: answers what was sent before its close',
      'sessions: answers its close, then closes the connection; its ephemerals are gone everywhere',
    ],
  },
]

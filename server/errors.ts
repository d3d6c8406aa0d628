interface ErrorDefinition {
  /** HTTP status where the error is answered over HTTP. */
  readonly status: number
  /** Exit code where the error ends the process. */
  readonly exit: number
  readonly meaning: string
}

/** Every coded error of the shells; docs/errors.md says the same for readers (a test compares). */
export const errorCatalogue = {
  BAD_REQUEST: { status: 400, exit: 1, meaning: 'The HTTP request cannot be read.' },
  INVALID_FIELD: {
    status: 400,
    exit: 1,
    meaning: 'A field of the request is missing or wrong; `field` names it.',
  },
  KEY_TOO_LONG: { status: 400, exit: 1, meaning: 'The key has more bytes than allowed.' },
  UNAUTHORISED: {
    status: 401,
    exit: 1,
    meaning: 'Credentials are needed, or those given are wrong.',
  },
  HTTP_WRITES_CLOSED: {
    status: 403,
    exit: 1,
    meaning: 'Writes and administration over HTTP are closed by configuration.',
  },
  ZNODE_FORBIDDEN: { status: 403, exit: 1, meaning: 'The ACL of the znode does not let you.' },
  KEY_NOT_FOUND: { status: 404, exit: 1, meaning: 'There is no such key.' },
  ZNODE_NOT_FOUND: { status: 404, exit: 1, meaning: 'There is no such znode.' },
  MEMBER_NOT_FOUND: {
    status: 404,
    exit: 1,
    meaning: 'The configuration has no server of that name.',
  },
  HTTP_NO_ROUTE: { status: 404, exit: 1, meaning: 'There is nothing at this URL.' },
  CONFLICT: {
    status: 409,
    exit: 1,
    meaning: 'Others change the same key all the time; try again.',
  },
  NOT_LEADER: {
    status: 409,
    exit: 1,
    meaning: 'Only the leader can do this; `leader` is its HTTP address.',
  },
  NO_TRANSFER_TARGET: {
    status: 409,
    exit: 1,
    meaning: 'No other voter answers, so leadership cannot move.',
  },
  CHANGE_REFUSED: {
    status: 409,
    exit: 1,
    meaning: 'The configuration cannot be changed now; the message says why.',
  },
  SNAPSHOT_REFUSED: {
    status: 409,
    exit: 1,
    meaning: 'No snapshot can be taken; the message says why.',
  },
  TREE_REFUSED: {
    status: 409,
    exit: 1,
    meaning: 'The tree refused the change; `zookeeperCode` is its code.',
  },
  BODY_TOO_LARGE: { status: 413, exit: 1, meaning: 'The body has more bytes than allowed.' },
  INTERNAL: {
    status: 500,
    exit: 70,
    meaning: 'An unexpected error; the log of the server has it.',
  },
  NO_LEADER: {
    status: 503,
    exit: 1,
    meaning: 'No leader is known or confirms itself; try again soon.',
  },
  NOT_FORMED: {
    status: 503,
    exit: 1,
    meaning: 'Too few of the expected servers have joined yet.',
  },
  SERVER_RETIRED: {
    status: 503,
    exit: 1,
    meaning: 'This server was removed from the ensemble, which does not take it back.',
  },
  SERVER_OUTDATED: {
    status: 503,
    exit: 1,
    meaning: 'The build of this server is older than what the ensemble has turned on.',
  },
  DATA_FOREIGN_CLUSTER: {
    status: 503,
    exit: 1,
    meaning: 'The data directory of this server is of another cluster than the other servers.',
  },
  OUTCOME_UNKNOWN: {
    status: 503,
    exit: 1,
    meaning: 'The leader changed under way: the write may or may not be applied.',
  },
  REQUEST_TIMEOUT: {
    status: 503,
    exit: 1,
    meaning: 'No result in time: a write may or may not be applied.',
  },
  SERVER_BUSY: {
    status: 503,
    exit: 1,
    meaning: 'Too much is in work on this server; try again soon.',
  },
  DISK_FULL: {
    status: 503,
    exit: 1,
    meaning: 'The disk has no space: writes are refused until there is some.',
  },
  STOPPING: { status: 503, exit: 1, meaning: 'The server is stopping; ask another.' },
  CONFIG_INVALID: {
    status: 500,
    exit: 78,
    meaning: 'The configuration is wrong; the message names the key.',
  },
  CONFIG_UNREADABLE: { status: 500, exit: 78, meaning: 'A configuration file cannot be read.' },
  TLS_UNUSABLE: {
    status: 500,
    exit: 78,
    meaning: 'A certificate, key or store cannot be used; the message names the file and why.',
  },
  PORT_UNAVAILABLE: {
    status: 500,
    exit: 78,
    meaning: 'A port cannot be opened; the message names it and its setting.',
  },
  DATA_CORRUPT: {
    status: 500,
    exit: 65,
    meaning: 'Files of the data directory are damaged; the message says which and where.',
  },
  DATA_FUTURE_VERSION: {
    status: 500,
    exit: 65,
    meaning: 'The data was written by a newer version.',
  },
  DATA_FOREIGN_NAME: {
    status: 500,
    exit: 65,
    meaning: 'The data directory belongs to a server of another name.',
  },
  DATA_IS_ZOOKEEPER: {
    status: 500,
    exit: 65,
    meaning: 'The directory holds data of Apache ZooKeeper.',
  },
  DATA_LOCKED: { status: 500, exit: 65, meaning: 'Another process runs on this data directory.' },
  DATA_UNUSABLE: {
    status: 500,
    exit: 65,
    meaning: 'The data directory cannot be used; the message has the reason of the file system.',
  },
  MIGRATION_SOURCE_DAMAGED: {
    status: 500,
    exit: 65,
    meaning: "ZooKeeper's files are damaged or incomplete; the message says which and where.",
  },
  MIGRATION_SOURCE_IN_USE: {
    status: 500,
    exit: 65,
    meaning: "ZooKeeper's files changed while they were read.",
  },
  MIGRATION_SOURCE_UNREADABLE: {
    status: 500,
    exit: 65,
    meaning: "ZooKeeper's files are not there or cannot be read.",
  },
  MIGRATION_SOURCE_UNSUPPORTED: {
    status: 500,
    exit: 65,
    meaning: "ZooKeeper's files hold what this server cannot keep.",
  },
  MIGRATION_TARGET_NOT_EMPTY: {
    status: 500,
    exit: 65,
    meaning: 'The directory to migrate to is not empty.',
  },
  DISK_FSYNC_FAILED: {
    status: 500,
    exit: 74,
    meaning: 'fsync failed: what was written may be lost, so the server ends at once.',
  },
  DISK_WRITE_FAILED: {
    status: 500,
    exit: 74,
    meaning: 'A write to the log failed, so the server ends at once.',
  },
} as const satisfies Readonly<Record<string, ErrorDefinition>>

export type ShellErrorCode = keyof typeof errorCatalogue

/** An error of the shells with its code; HTTP answers it, or the process ends with it. */
export class CodedError extends Error {
  override readonly name = 'CodedError'
  readonly code: ShellErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ShellErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
    this.code = code
    this.details = details
  }

  get status(): number {
    return errorCatalogue[this.code].status
  }

  get exit(): number {
    return errorCatalogue[this.code].exit
  }
}

/**
 * Every bound of the server in one place. Those that an operator may set are the defaults of
 * config.ts; each has a metric or a coded error when it is reached.
 */
export const limits = {
  /** The raft tick. */
  tickMs: 50,
  /** Ticks between heartbeats (heartbeatIntervalMs / tickMs). */
  heartbeatTicks: 2,
  /** Ticks without a leader before an election (drawn from [n, 2n)). */
  electionTicks: 20,
  /** One append message. */
  appendBytesMax: 1024 * 1024,
  /** The pipeline to one follower. */
  inflightAppendsMax: 64,
  inflightBytesMax: 16 * 1024 * 1024,
  /** Proposed and not yet committed at the leader; above it requests wait, then are refused. */
  uncommittedBytesMax: 64 * 1024 * 1024,
  /** Requests of this server's clients that wait for their result. */
  pendingRequestsMax: 100_000,
  pendingBytesMax: 64 * 1024 * 1024,
  /** jute.maxbuffer: one frame of a client, bytes after the length. */
  clientFrameBytesMax: 1_048_575,
  /** One frame between servers. */
  peerFrameBytesMax: 64 * 1024 * 1024,
  /** Pauses between dials of a peer that does not answer, doubling from the first to the second. */
  dialRetryMsMin: 50,
  dialRetryMsMax: 1_000,
  /** Connecting to a peer, once its name is looked up. */
  dialTimeoutMs: 1_000,
  /** Each side of a link shows life this often, and gives the other up after that much silence. */
  linkKeepaliveMs: 500,
  linkSilenceMsMax: 2_500,
  /** Queued to one peer before frames are dropped (Raft and forwards repeat them). */
  peerQueueBytesMax: 64 * 1024 * 1024,
  /** Replies and events gathered for a client that does not read, before it is cut off. */
  clientOutputBytesMax: 16 * 1024 * 1024,
  /** Replies that a client has not taken; above it no more of its requests are taken. */
  clientReplyWindowBytes: 1024 * 1024,
  /** Requests of one connection that are taken in one turn of the event loop, before the others'. */
  connectionRequestsPerTurnMax: 64,
  /** New connections that are let in in one turn of the event loop; a TLS handshake takes most of 1 ms. */
  admissionsPerTurnMax: 16,
  /** Requests of one connection that wait; above it the socket is not read. */
  connectionOutstandingMax: 1000,
  /** Connections that wait to be accepted on a client port (listenBacklog -1). */
  listenBacklog: 1_024,
  /** A connection that is closed may take so long to take what is left for it. */
  clientCloseMsMax: 1_000,
  /** Client connections of one address; 0 is no limit (a sidecar makes all clients one address). */
  connectionsPerAddressMax: 0,
  connectionsMax: 50_000,
  /** Sessions of a server in read-only mode, those of clients that have gone and may return too. */
  readOnlySessionsMax: 100_000,
  /** Without a leader before read-only clients are served. */
  readOnlyAfterMs: 2_000,
  /** A connection of a ZooKeeper client that has not asked for its session. */
  handshakeTimeoutMs: 10_000,
  /** A handshake of TLS on the port of HTTP. */
  tlsHandshakeMs: 10_000,
  /** A token of SASL: what RFC 2831 allows, and Java's server takes. */
  saslTokenBytesMax: 4_096,
  /** Between two looks at the files of certificates and keys. */
  tlsPollMs: 5_000,
  /** Audited lines that wait for the disk; those beyond are dropped, and that is logged. */
  auditBufferBytesMax: 16 * 1024 * 1024,
  /** Audited lines of HTTP requests that were denied: anybody who finds the port can cause them. */
  auditDenialsPerSecondMax: 100,
  /** Watches of one connection. */
  watchesPerConnectionMax: 1_000_000,
  /** What one four-letter word or command of the AdminServer lists before it is cut. */
  listedEntriesMax: 10_000,
  /** Each may ask once in a turn of the event loop: so long ZooKeeper's clients may have to wait. */
  httpConnectionsMax: 500,
  /** For an HTTP client to send its whole request. */
  httpRequestMsMax: 30_000,
  /** The name of a server in a request, which the audit log repeats whatever it is. */
  serverNameLengthMax: 1_024,
  /** Of a connection over HTTP, from an answer to the next request. */
  httpIdleMs: 72_000,
  /** For another server to show itself (/v1/ensemble/servers); later it is unreachable. */
  peerViewMsMax: 800,
  /** A key of the HTTP key-value API, in UTF-8. */
  keyBytesMax: 1_024,
  /** Of an HTTP body above the limit, what is read and dropped before the connection closes. */
  refusedBodyBytesMax: 16 * 1024 * 1024,
  refusedBodyMsMax: 5_000,
  /** Delay of the event loop above which HTTP requests are answered SERVER_BUSY. */
  eventLoopDelayMsMax: 1_000,
  /** One WAL segment. */
  segmentBytes: 16 * 1024 * 1024,
  /** Log bytes since the last snapshot that cause the next. */
  snapshotLogBytes: 32 * 1024 * 1024,
  /** Applied requests since the last snapshot that cause the next (ZooKeeper's snapCount). */
  snapshotRequests: 100_000,
  snapshotsKept: 3,
  /** Entries kept in memory behind the newest snapshot for followers that lag a little. */
  logRetainedEntries: 5_000,
  /** Snapshot records serialised per turn. */
  snapshotSliceRecords: 1_000,
  snapshotChunkBytes: 256 * 1024,
  /** Chunks of a snapshot stream that may be under way to one follower. */
  snapshotWindowBytes: 4 * 1024 * 1024,
  /** Followers report touched sessions every so many ticks. */
  touchReportTicks: 2,
  /** Bounds of a session's timeout (minSessionTimeout, maxSessionTimeout). */
  sessionTimeoutMsMin: 4_000,
  sessionTimeoutMsMax: 40_000,
  /** Containers and TTL znodes: a look at all of them, removals, one that was never used (0: never). */
  containerCheckMs: 60_000,
  containerDeletionsPerMinuteMax: 10_000,
  containerUnusedMs: 0,
  containersPerTick: 2_000,
  /** A join is repeated this often until it has succeeded. */
  joinRetryTicks: 10,
  /** A learner this close to the leader's log is promoted. */
  promotionLagEntries: 100,
  /** For the servers of a reconfiguration to join. */
  reconfigMsMax: 20_000,
  /** One record of ZooKeeper's snapshot or log, when they are migrated. */
  migratedRecordBytesMax: 256 * 1024 * 1024,
  /** For a server that is told to stop to be gone; then it ends as it is. */
  stopMsMax: 20_000,
  /** Removed servers whose incarnation is remembered; the oldest is forgotten beyond. */
  retiredServersMax: 1_000,
} as const

/** Keys of ZooKeeper that are no setting here: what becomes of them. */
export interface KeyGroup {
  /** One that ends in `*` stands for all that begin so. */
  readonly keys: readonly string[]
  /** What there is instead; a sentence of docs/configuration.md. */
  readonly here: string
  /** Values that ask for what is missing: such a key is named in the warning. None where not given. */
  readonly missing?: RegExp
}

const ANY = /^/
const TRUE = /^true$/i
const FALSE = /^false$/i

/** All of ZooKeeper 3.9's keys that are neither a setting nor read together with others. */
export const keyGroups: readonly KeyGroup[] = [
  {
    keys: ['initLimit', 'syncLimit', 'connectToLearnerMasterLimit', 'cnxTimeout'],
    here: 'elections are timed by `electionTimeoutMs`, links between servers by `rpcTimeoutMs`',
  },
  {
    keys: [
      'electionAlg',
      'electionPortBindRetry',
      'fastleader.*',
      'quorumCnxnTimeoutMs',
      'quorum.cnxn.threads.size',
      'leader.*',
      'learner.*',
      'follower.*',
      'observer.*',
      'observerMasterPort',
      'leaderConnectDelayDuringRetryMs',
      'forceSnapshotSync',
      'forward_learner_requests_to_commit_processor_disabled',
      'syncEnabled',
    ],
    here: "Raft takes the place of ZooKeeper's elections and of what follows them; observers keep log and snapshots, always",
  },
  {
    keys: [
      'autopurge.*',
      'commitLogCount',
      'snapSizeLimitInKb',
      'txnLogSizeLimitInKb',
      'snapshotSizeFactor',
      'snapshot.compression.method',
      'serializeLastProcessedZxid.enabled',
      'closeSessionTxn.enabled',
      'digest.enabled',
      'flushDelay',
      'maxWriteQueuePollTime',
      'maxBatchSize',
      'jute.maxbuffer.extrasize',
    ],
    here: 'log and snapshots have a format of their own, with checksums; old ones go by themselves, and writes are batched',
  },
  {
    keys: [
      'bitHashCacheSize',
      'commitProcessor.*',
      'intBufferStartingSizeBytes',
      'jmx.*',
      'jvm.pause.*',
      'maxGetChildrenResponseCacheSize',
      'maxInProcessingDeadWatchers',
      'maxResponseCacheSize',
      'messageTracker.*',
      'netty.advancedFlowControl.enabled',
      'nio.*',
      'pathStats.*',
      'request_throttler.shutdownTimeout',
      'watchManagerName',
      'watcherClean*',
    ],
    here: "Java's threads, buffers and caches: there are none",
  },
  {
    keys: ['localSessionsEnabled', 'localSessionsUpgradingEnabled'],
    here: 'every session is one of the ensemble: it can do all that a local one can, and make ephemeral znodes',
  },
  {
    keys: ['standaloneEnabled'],
    here: 'a server alone is an ensemble of one, to which others can be added',
  },
  {
    keys: ['tcpKeepAlive', 'clientTcpKeepAlive'],
    here: 'is on for clients; servers look after each other themselves',
  },
  {
    keys: ['multiAddress.reachabilityCheckEnabled', 'multiAddress.reachabilityCheckTimeoutMs'],
    here: 'links are opened again for as long as it takes',
  },
  {
    keys: ['enableEagerACLCheck', 'globalOutstandingLimit'],
    here: 'all requests are checked before they are answered, and bounded for each connection',
  },
  {
    keys: ['forceSync'],
    here: 'the log is synced before anything is acknowledged',
    missing: /^no$/i,
  },
  {
    keys: ['datadir.autocreate', 'db.autocreate', 'snapshot.trust.empty'],
    here: 'an empty directory is made ready, and only the static list decides who founds the ensemble: no file `initialize` is looked for',
    missing: FALSE,
  },
  {
    keys: ['emulate353TTLNodes'],
    here: 'is not done',
    missing: TRUE,
  },
  {
    keys: ['admin.restore.enabled', 'admin.rateLimiterIntervalInMS', 'admin.httpVersion'],
    here: 'nothing is restored over HTTP, and one snapshot is taken at a time',
  },
  {
    keys: ['admin.snapshot.enabled'],
    here: '`httpAuth` says who may ask for a snapshot',
    missing: FALSE,
  },
  { keys: ['leaderServes'], here: 'every server serves clients', missing: /^no$/i },
  {
    keys: ['metricsProvider.*'],
    here: 'metrics are at `/metrics` of the HTTP port',
    missing: ANY,
  },
  {
    keys: ['quorum.auth.enableSasl'],
    here: 'servers prove `quorate.secret`, or certificates, to each other',
    missing: TRUE,
  },
  { keys: ['quorum.auth.*'], here: 'as above' },
  {
    keys: [
      'oraclePath',
      'fsync.warningthresholdms',
      'kerberos.*',
      'kinit',
      'security.auth_to_local',
    ],
    here: 'is not done',
    missing: ANY,
  },
]

/** The group of a key, the one that names it as it is before one that names how it begins. */
export function groupOf(key: string): KeyGroup | undefined {
  return (
    keyGroups.find(({ keys }) => keys.includes(key)) ??
    keyGroups.find(({ keys }) =>
      keys.some((known) => known.endsWith('*') && key.startsWith(known.slice(0, -1))),
    )
  )
}

/** Whether a key that is no setting asks, with this value, for nothing that is missing. */
export function isUnderstood(key: string, value: string): boolean {
  const group = groupOf(key)
  return group !== undefined && group.missing?.test(value) !== true
}

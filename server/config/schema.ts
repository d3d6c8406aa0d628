import { type Static, Type } from 'typebox'
import { limits } from '../limits.ts'
import { authenticationSecrets, authenticationSettings } from './authentication-settings.ts'
import { throttleSettings } from './throttle-settings.ts'
import { tlsSecretSettings, tlsSettings } from './tls-settings.ts'
import { znodeSettings } from './znode-settings.ts'

const port = (description: string, value: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: value, description })
const ms = (description: string, value: number, minimum = 1) =>
  Type.Integer({ minimum, default: value, description })
const count = (description: string, value: number) =>
  Type.Integer({ minimum: 0, default: value, description })
const text = (description: string) => Type.String({ default: '', description })
/** Text that must not be empty. */
const named = (description: string, value: string) =>
  Type.String({ minLength: 1, default: value, description })

/** Every setting of a server: one schema for flags, environment, files and the documentation. */
export const Settings = Type.Object(
  {
    name: named('Stable name of this server (myid in a zoo.cfg)', '1'),
    bootstrap: Type.Boolean({
      default: false,
      description: 'Found a cluster of this server alone',
    }),
    expectedVoters: Type.Integer({
      minimum: 1,
      default: 1,
      description:
        'With bootstrap or join: voters that must be in before clients are served at first',
    }),
    join: Type.Array(Type.String(), {
      default: [],
      description: 'Peer addresses of an ensemble to join',
    }),
    clusterFile: text(
      'A JSON or YAML list of {name, peerAddress, observer?}: the static list of servers',
    ),
    observer: Type.Boolean({
      default: false,
      description: 'Stay a learner: reads and sessions, no vote',
    }),
    dataDirectory: named('Identity, and log and snapshots unless told apart', './data'),
    logDirectory: text('Write-ahead log; the data directory when empty'),
    snapshotDirectory: text('Snapshots; the data directory when empty'),
    advertisedHost: named('Host under which others reach this server', 'localhost'),
    clientHost: text('Address to listen on for ZooKeeper clients; all when empty'),
    clientPort: port('ZooKeeper clients; 0 is off', 2181),
    peerHost: text('Address to listen on for peers; all when empty'),
    peerPort: port('Other servers of the ensemble', 2888),
    httpHost: text('Address to listen on for HTTP; all when empty'),
    httpPort: port('HTTP; 0 is off', 8080),
    httpCommandPath: Type.String({
      // Not in the way of anything else that is served.
      pattern: '^(?!/(v1|kv|livez|readyz|metrics|openapi)(/|[.]|$))(/[\\w.-]+)+$',
      default: '/commands',
      description: "Where the commands of ZooKeeper's AdminServer are",
    }),
    httpAuth: Type.Union(
      [
        Type.Literal('open'),
        Type.Literal('token'),
        Type.Literal('certificate'),
        Type.Literal('closed'),
      ],
      { default: 'closed', description: 'Who may write and administer over HTTP' },
    ),
    httpIdleMs: Type.Integer({
      minimum: 0,
      default: limits.httpIdleMs,
      description: 'From an answer over HTTP to the end of a connection without a request; 0: none',
    }),
    httpToken: text('Bearer token for httpAuth token, and beside certificates if it is set'),
    secret: text('Ensemble secret that peers prove to each other'),
    secretFile: text('File that holds the ensemble secret'),
    electionTimeoutMs: ms('Silence of a leader before an election; drawn from [n, 2n)', 1000, 100),
    heartbeatIntervalMs: ms('Between heartbeats of the leader', 100, 20),
    rpcTimeoutMs: ms('Opening and proving a link to a peer', 2000),
    apiTimeoutMs: ms('An HTTP request that waits for the ensemble', 5000),
    forwardTimeoutMs: ms('An HTTP write that a follower passes on to the leader', 5000),
    connectRetries: count('Failed dials in a row before a peer is reported unreachable', 5),
    sessionTimeoutMsMin: ms('Least session timeout', limits.sessionTimeoutMsMin),
    sessionTimeoutMsMax: ms('Greatest session timeout', limits.sessionTimeoutMsMax),
    handshakeTimeoutMs: ms(
      'For a ZooKeeper client to ask for its session',
      limits.handshakeTimeoutMs,
    ),
    listenBacklog: Type.Integer({
      minimum: -1,
      default: -1,
      description: 'Connections that wait to be accepted on a client port; -1 is 1024',
    }),
    connectionsMax: count('Client connections; 0 is no limit', limits.connectionsMax),
    connectionsPerAddressMax: count('Client connections of one address; 0 is no limit', 0),
    frameBytesMax: Type.Integer({
      minimum: 1_024,
      // A reply that holds as much must fit into the output of a connection.
      maximum: 15 * 1024 * 1024,
      default: limits.clientFrameBytesMax,
      description: 'One client frame (jute.maxbuffer), and the body of an HTTP request',
    }),
    fourLetterWords: Type.Array(Type.String(), {
      default: ['ruok', 'srvr', 'stat', 'mntr', 'conf', 'isro'],
      description: 'Four-letter words that are answered; * is all',
    }),
    linearizableReads: Type.Boolean({
      default: false,
      description: 'Reads of ZooKeeper clients wait for a ReadIndex round first',
    }),
    ...throttleSettings,
    ...authenticationSettings,
    readOnlyMode: Type.Boolean({
      default: false,
      description: 'While cut off from a quorum, serve reads to clients that asked for no more',
    }),
    ...tlsSettings,
    ...znodeSettings,
    snapshotRequests: Type.Integer({
      minimum: 2,
      default: limits.snapshotRequests,
      description: 'Applied requests that cause a snapshot (snapCount)',
    }),
    snapshotsKept: Type.Integer({
      minimum: 2,
      default: limits.snapshotsKept,
      description: 'Snapshots kept',
    }),
    segmentBytes: Type.Integer({
      minimum: 65_536,
      default: limits.segmentBytes,
      description: 'One segment of the log',
    }),
    auditEnabled: Type.Boolean({
      default: false,
      description: 'Audit every write; without it administration and changes of ACLs alone',
    }),
    auditFile: text('File of the audit log; the log of the server when empty'),
    logLevel: Type.Union(
      [Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')],
      { default: 'info', description: 'Least level that is logged' },
    ),
  },
  { additionalProperties: false },
)

export type Settings = Static<typeof Settings>
export type SettingName = keyof Settings

export const settingNames = Object.keys(Settings.properties) as SettingName[]

/** The default of every setting. */
export function defaultSettings(): Settings {
  const defaults = Object.entries(Settings.properties).map(([name, schema]) => [
    name,
    structuredClone((schema as { default?: unknown }).default),
  ])
  return Object.fromEntries(defaults) as Settings
}

/** Settings whose value is never printed. */
export const secretSettings: readonly SettingName[] = [
  'secret',
  'httpToken',
  ...authenticationSecrets,
  ...tlsSecretSettings,
]

import type { FastifyBaseLogger } from 'fastify'
import type { Audit } from '../audit/audit.ts'
import type { Ensemble } from '../ensemble/ensemble.ts'
import type { Authenticator } from '../listener/authentication.ts'
import type { WordContext } from '../listener/word-context.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Authorisation, Authorise } from './authorisation.ts'
import type { IdentitiesOf } from './identity.ts'
import type { RefusedBodyLimits } from './refused-body.ts'
import type { HttpTls } from './tls-server.ts'

export interface AppOptions {
  readonly ensemble: Ensemble
  readonly metrics: Metrics
  /** What the commands of ZooKeeper's AdminServer report on. */
  readonly commands: WordContext
  /** Where those are; `/commands` when not given. */
  readonly commandPath?: string
  readonly logger: FastifyBaseLogger
  readonly authorisation: Authorisation
  /** TLS on the port; null: plain HTTP alone. */
  readonly tls: HttpTls | null
  readonly audit: Audit
  /** How those who send a request prove who they are, for ACLs. */
  readonly authenticator: Authenticator
  /** A write or linearizable read that takes longer is answered 503 REQUEST_TIMEOUT. */
  readonly apiTimeoutMs: number
  /** The same for what a follower passes on to the leader. */
  readonly forwardTimeoutMs: number
  /** For a client to send its whole request; then its connection is closed with 408. */
  readonly requestMsMax: number
  /** From an answer to the next request, then the connection is closed; 0: no limit. */
  readonly idleMs: number
  /** Bytes of a request body; above it 413. */
  readonly bodyBytesMax: number
  /** How much of a body above it is read and dropped, so that its client gets to the answer. */
  readonly refusedBody: RefusedBodyLimits
  /** Bytes of a key in UTF-8. */
  readonly keyBytesMax: number
  /** Event-loop delay above which requests are answered 503 SERVER_BUSY; 0 is off. */
  readonly eventLoopDelayMsMax: number
  /** Open at the same time; a further one is closed at once. */
  readonly connectionsMax: number
  /** The folder of the built status page. */
  readonly pageDirectory: string
}

/** What every group of routes is given. */
export interface RouteContext extends AppOptions {
  /** preHandler of routes that write or administer. */
  readonly authorise: Authorise
  /** Whom ACLs take the sender of a request for. */
  readonly identitiesOf: IdentitiesOf
}

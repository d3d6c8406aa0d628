import type { EnsembleOptions } from '../../support/server-ensemble.ts'
import { superDigestSettings } from '../servers.ts'

/** What the seeds of a stage have in their streams that others have not. */
export interface Repertoire {
  readonly reconfigures: boolean
  /** Sessions that nobody hears of any more, until they expire. */
  readonly expires: boolean
  /** Containers and TTL znodes that are removed while servers are compared. */
  readonly reaps: boolean
  /** Quotas (a third of the seeds), and no write behind another one: see pipelined-quota in docs/compatibility.md. */
  readonly quotas: boolean
  /** Writes that cannot be read: see short-writes in docs/compatibility.md. */
  readonly breaksWrites: boolean
}

/** Servers that are compared under one configuration, and what is sent to them. */
export interface Stage {
  readonly name: string
  readonly servers: EnsembleOptions
  readonly repertoire: Omit<Repertoire, 'quotas'>
  /** Whether a seed is run here. */
  readonly has: (seed: number) => boolean
}

const DAY_MS = 86_400_000

const common = {
  enforceQuota: 'true',
  maxSessionTimeout: '120000',
  // Without them Apache ZooKeeper does not know the schemes.
  'authProvider.x509': 'org.apache.zookeeper.server.auth.X509AuthenticationProvider',
  'authProvider.sasl': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
  ...superDigestSettings,
}

/** The one user of DIGEST-MD5. */
export const SASL_USERS_FILE = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_bob="bobs";
};
`

/** Long, so that no session's time is up within a run. */
const LONG_TICK_MS = 6_000

export const DYING_TIMEOUT_MS = 1_000

/** Every seed has one of them. */
export const stages: readonly Stage[] = [
  {
    name: 'alone',
    servers: {
      servers: 1,
      tickMs: 500,
      settings: {
        ...common,
        minSessionTimeout: String(DYING_TIMEOUT_MS),
        // No container is removed in the middle of a run.
        'znode.container.checkIntervalMs': String(DAY_MS),
      },
    },
    repertoire: { reconfigures: false, expires: true, reaps: false, breaksWrites: true },
    has: (seed) => ![3, 6].includes(seed % 10) && seed % 20 !== 9,
  },
  {
    name: 'leader',
    servers: {
      servers: 3,
      tickMs: LONG_TICK_MS,
      settings: {
        ...common,
        reconfigEnabled: 'true',
        'znode.container.checkIntervalMs': String(DAY_MS),
      },
    },
    repertoire: { reconfigures: true, expires: false, reaps: false, breaksWrites: false },
    has: (seed) => [3, 6].includes(seed % 10),
  },
  {
    name: 'reaper',
    servers: {
      servers: 1,
      tickMs: LONG_TICK_MS,
      settings: {
        ...common,
        'znode.container.checkIntervalMs': '10',
        'znode.container.maxPerMinute': '600000',
      },
    },
    repertoire: { reconfigures: false, expires: false, reaps: true, breaksWrites: true },
    has: (seed) => seed % 20 === 9,
  },
]

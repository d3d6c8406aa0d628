/**
 * From which replicated cluster version on apply does what older builds do not know. A number here is
 * for ever, as the log is.
 */
export const SINCE_VERSION = {
  /** Quotas are counted and enforced; the ensemble's members are written to /zookeeper/config. */
  quotas: 2,
  /** A session is taken up again by an entry that does not repeat its password. */
  renewals: 3,
} as const

import { Type } from 'typebox'
import { limits } from '../limits.ts'

/** Reconfiguration, quotas, containers and znodes with a time to live; a part of the schema. */
export const znodeSettings = {
  reconfigEnabled: Type.Boolean({
    default: false,
    description: 'ZooKeeper clients may change the members; a static list only forms the ensemble',
  }),
  enforceQuota: Type.Boolean({
    default: false,
    description: 'As leader: hard limits of quotas are enforced, and any limit passed is logged',
  }),
  extendedTypesEnabled: Type.Boolean({
    default: true,
    description: 'Znodes with a time to live can be made',
  }),
  containerCheckMs: Type.Integer({
    minimum: 1,
    default: limits.containerCheckMs,
    description: 'From one look for containers and TTL znodes to remove to the next',
  }),
  containerDeletionsPerMinuteMax: Type.Integer({
    minimum: 1,
    default: limits.containerDeletionsPerMinuteMax,
    description: 'Containers and TTL znodes removed in a minute',
  }),
  containerUnusedMs: Type.Integer({
    minimum: 0,
    default: limits.containerUnusedMs,
    description: 'After how long a container goes that never had a child; 0: it stays',
  }),
}

/** The keys of a zoo.cfg: system properties of ZooKeeper. */
export const znodeKeys = {
  reconfigEnabled: 'reconfigEnabled',
  enforceQuota: 'enforceQuota',
  extendedTypesEnabled: 'extendedTypesEnabled',
  'znode.container.checkIntervalMs': 'containerCheckMs',
  'znode.container.maxPerMinute': 'containerDeletionsPerMinuteMax',
  'znode.container.maxNeverUsedIntervalMs': 'containerUnusedMs',
} as const

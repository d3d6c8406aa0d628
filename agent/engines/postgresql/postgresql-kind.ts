import { join } from 'node:path'
import { limits } from '../../limits.ts'
import type { EngineSetup } from '../kinds.ts'
import { roleLabelOf } from '../own-role-label.ts'
import { PatroniClient } from './patroni-client.ts'
import { PostgresqlEngine } from './postgresql-engine.ts'
import { PostgresqlSession } from './postgresql-session.ts'

/** PostgreSQL under Patroni, by the agent's settings. */
export function postgresqlEngine(setup: EngineSetup): PostgresqlEngine {
  const { config, disk, coordination, nowMs } = setup
  const { settings } = config
  const scope = settings.patroniScope || settings.cluster
  return new PostgresqlEngine({
    set: settings.set,
    pod: settings.pod,
    disk,
    dataDirectory: join(settings.dataDirectory, settings.postgresqlData),
    coordination,
    patroniPath: `${settings.patroniNamespace.replace(/\/$/, '')}/${scope}`,
    patroni: new PatroniClient({
      host: settings.engineHost,
      port: settings.patroniPort,
      user: settings.patroniUser,
      passwordFile: settings.patroniPasswordFile,
      lagBytesMax: limits.postgresqlLagBytesMax,
      timeoutMs: limits.engineTimeoutMs,
      treeTimeoutMs: limits.patroniTreeMs,
    }),
    session: new PostgresqlSession({
      host: settings.engineHost,
      port: settings.postgresqlPort,
      user: settings.postgresqlUser,
      passwordFile: settings.postgresqlPasswordFile,
      timeoutMs: limits.engineTimeoutMs,
    }),
    label: roleLabelOf(setup),
    clientPorts: { port: settings.postgresqlPort, sslPort: null },
    ports: { patroni: settings.patroniPort },
    everyMs: limits.patroniEveryMs,
    everyMsDown: limits.engineEveryMs,
    standbyWaitMs: limits.postgresqlStandbyMs,
    slotEveryMs: limits.postgresqlSlotMs,
    replication: settings.patroniReplication || null,
    volatile: settings.volatile,
    nowMs,
  })
}

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Coordination } from '../../../../agent/coordination/coordination.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import type { PostgresqlOptions } from '../../../../agent/engines/postgresql/postgresql-engine.ts'
import type { PostgresqlSession } from '../../../../agent/engines/postgresql/postgresql-session.ts'

/** A server that is no standby, and has no slot that nobody uses. */
const LEADING_SESSION = {
  look: async () => ({ recovering: false, idleSlots: [] }),
} as unknown as PostgresqlSession

/** Where a test says nothing else: no volume, no tree, no label, and no look that waits for its time. */
export function optionsWith(
  given: Pick<PostgresqlOptions, 'patroni'> & Partial<PostgresqlOptions>,
): PostgresqlOptions {
  const volume = join(tmpdir(), 'quorate-none')
  return {
    set: 'q',
    pod: 'q-0',
    disk: new MemberDisk([volume]),
    dataDirectory: volume,
    coordination: {} as Coordination,
    patroniPath: '/service/q',
    session: LEADING_SESSION,
    label: null,
    clientPorts: { port: 5432, sslPort: null },
    ports: {},
    everyMs: 0,
    everyMsDown: 0,
    standbyWaitMs: 1_000,
    slotEveryMs: 1_000,
    replication: null,
    volatile: false,
    nowMs: () => performance.now(),
    ...given,
  }
}

import { readInitialized } from '../../coordination/cluster-documents.ts'
import type { Coordination } from '../../coordination/coordination.ts'
import type { ControllersRecord } from '../../core/cluster/kraft-plan.ts'
import type { Ms } from '../../core/observation.ts'
import { messageOf } from '../../errors.ts'

/**
 * What the agents of the controllers have put on record of their cluster, as of now; where that cannot be read, not
 * since `sinceMs`. Never rejects.
 */
export async function readControllersRecord(
  coordination: Coordination,
  root: string,
  sinceMs: Ms,
): Promise<ControllersRecord> {
  try {
    await coordination.barrier()
    const znode = await coordination.read(`${root}/initialized`)
    if (znode === null) return { kind: 'known', clusterId: '' }
    const initialized = readInitialized(znode.data)
    if (initialized !== null) return { kind: 'known', clusterId: initialized.engineClusterId }
    return { kind: 'unknown', reason: `${root}/initialized holds what no agent writes`, sinceMs }
  } catch (error) {
    return { kind: 'unknown', reason: messageOf(error), sinceMs }
  }
}

import { RestClient } from '../kubernetes/rest-client.ts'
import { RoleLabel } from '../kubernetes/role-label.ts'
import { limits } from '../limits.ts'
import type { EngineSetup } from './kinds.ts'

/** The label of the own pod that tells its role; null where the settings name none. */
export function roleLabelOf({ config, logger, nowMs }: EngineSetup): RoleLabel | null {
  const { roleLabel, kubernetesUrl, namespace, pod } = config.settings
  if (roleLabel === '') return null
  return new RoleLabel({
    rest: new RestClient({ url: kubernetesUrl, timeoutMs: limits.kubernetesTimeoutMs }),
    namespace,
    pod,
    label: roleLabel,
    retryMs: limits.roleLabelRetryMs,
    nowMs,
    log: (message, fields) => logger.info(fields, message),
  })
}

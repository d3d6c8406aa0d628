import { describe } from 'vitest'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { zkCliQuotaSuite } from './clients/zk-cli-quota.ts'
import { ensembleFor, superDigestSettings } from './servers.ts'
import { configurationSuite } from './suite/configurations.ts'
import { containerSuite } from './suite/containers.ts'
import { quotaSuite } from './suite/quotas.ts'
import { reconfigurationSuite } from './suite/reconfigurations.ts'
import type { Target } from './suite/target.ts'

/** Znodes that the servers themselves keep, count or remove. */
function znodeSuites(target: Target): void {
  configurationSuite(target)
  quotaSuite(target)
  containerSuite(target)
  zkCliQuotaSuite(target)
}

const reconfigurable = {
  servers: 3,
  settings: { reconfigEnabled: 'true', ...superDigestSettings },
} as const
const options = {
  servers: 3,
  settings: { enforceQuota: 'true', 'znode.container.checkIntervalMs': '1000' },
} as const

describe('Quorate that keeps znodes', () => {
  znodeSuites(ensembleFor('quorate', options))
})

describe('Quorate that is reconfigured', () => {
  reconfigurationSuite(ensembleFor('quorate', reconfigurable))
})

const tool = zookeeperTool()
describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper that keeps znodes', tool), () => {
  znodeSuites(ensembleFor('zookeeper', options))
})

describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper that is reconfigured', tool), () => {
  reconfigurationSuite(ensembleFor('zookeeper', reconfigurable))
})

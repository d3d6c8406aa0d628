import { describe } from 'vitest'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { ensembleFor } from './servers.ts'
import { readOnlySuite } from './suite/read-only.ts'

const settings = {
  'readonlymode.enabled': 'true',
  localSessionsEnabled: 'true',
  localSessionsUpgradingEnabled: 'true',
}
const options = { servers: 3, tickMs: 500, settings } as const

describe('Quorate', () => {
  readOnlySuite(ensembleFor('quorate', options))
})

const tool = zookeeperTool()
describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper', tool), () => {
  readOnlySuite(ensembleFor('zookeeper', options))
})

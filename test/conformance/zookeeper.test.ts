import { describe } from 'vitest'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { ensembleFor, supports } from './servers.ts'
import { conformanceSuite, standaloneSuite } from './suite.ts'

const tool = zookeeperTool()

describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper', tool), () => {
  conformanceSuite(ensembleFor('zookeeper'), supports.zookeeper)
})

describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper, alone', tool), () => {
  standaloneSuite(ensembleFor('zookeeper', { servers: 1 }), supports.zookeeper)
})

import { describe } from 'vitest'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { goSuite } from './clients/go.ts'
import { kazooSuite } from './clients/kazoo.ts'
import { nodeClientSuite } from './clients/node-client.ts'
import { zkCliSuite } from './clients/zk-cli.ts'
import { ensembleFor } from './servers.ts'
import type { Target } from './suite/target.ts'

/** Clients that were written for Apache ZooKeeper, as they are, against both servers. */
function clientSuites(target: Target): void {
  nodeClientSuite(target)
  zkCliSuite(target)
  kazooSuite(target)
}

describe('clients of Quorate', () => {
  clientSuites(ensembleFor('quorate'))
  goSuite('quorate')
})

const tool = zookeeperTool()
describe.skipIf(tool.found === null)(titleOf('clients of Apache ZooKeeper', tool), () => {
  clientSuites(ensembleFor('zookeeper'))
  goSuite('zookeeper')
})

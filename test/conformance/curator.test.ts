import { describe } from 'vitest'
import { javaTool } from '../support/java.ts'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { curatorOptions, curatorSuite } from './clients/curator.ts'
import { ensembleFor } from './servers.ts'

const clients = javaTool('java-clients')
const server = zookeeperTool()

describe.skipIf(clients.found === null)(titleOf('Curator', clients), () => {
  describe('with Quorate', () => {
    curatorSuite(ensembleFor('quorate', curatorOptions))
  })

  describe.skipIf(server.found === null)(titleOf('with Apache ZooKeeper', server), () => {
    curatorSuite(ensembleFor('zookeeper', curatorOptions))
  })
})

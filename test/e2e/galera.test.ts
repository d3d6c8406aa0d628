import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { GaleraPods, kindOf } from '../galera/pods.ts'
import { positionOf } from '../galera/trial.ts'
import { rootSession, Writer } from '../galera/writer.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { galeraTool, titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const tool = galeraTool()
const ALL = [0, 1, 2]
const FORMED_WITHIN_MS = 90_000
const WRITES = 50

/** Agents of Galera beside real servers of MariaDB, with real servers of Quorate for a tree. */
describe.skipIf(tool.found === null)(titleOf('the agent of Galera', tool), () => {
  let servers: ServerEnsemble
  let pods: GaleraPods
  let writer: Writer | undefined

  beforeAll(async () => {
    servers = await quorateEnsemble({ servers: 3 })
    await servers.start()
    const hosts = servers.clientPorts.map((port) => `127.0.0.1:${port}`)
    pods = await GaleraPods.at({ hosts, count: 3, replicas: 3, method: 'rsync', tls: null })
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(pods.logs())
  })
  afterAll(async () => {
    await writer?.stop()
    await pods.close()
    await servers.stop()
  })

  const uuids = () => pods.members.map((member) => member.uuid())

  it('forms one cluster from nothing, when all start at once', async () => {
    const startedAt = Date.now()
    await pods.startAll(ALL)
    await pods.ready(ALL, FORMED_WITHIN_MS)
    console.info(`formed in ${Date.now() - startedAt} ms`)
    const permits = pods.permits()
    expect(permits.map(kindOf)).toEqual(['found', 'join', 'join'])
    expect(permits[0]?.pod).toBe(0)
    expect(pods.overlappingJoins()).toEqual([])
    expect(new Set(uuids()).size).toBe(1)
    const { cluster } = (await pods.status(1)).observation
    expect(cluster?.initialized).toMatchObject({ engineClusterId: uuids()[0], expected: 3 })
    expect(cluster?.intent).toBeNull()
    const session = rootSession(pods.member(1))
    const users = await session.query('SELECT User, Host FROM mysql.user ORDER BY User, Host')
    session.close()
    expect(users.map((user) => user.join('@'))).toEqual([
      'mariadb.sys@localhost',
      'quorate-agent@localhost',
      'quorate-copy@localhost',
      'root@%',
      'root@localhost',
    ])
    writer = await Writer.start(pods.members)
    await writer.goesOn(WRITES, FORMED_WITHIN_MS)
  })

  it('has the most advanced start the cluster again, when all were killed under writes', async () => {
    const before = uuids()
    const killedAt = Date.now()
    await pods.kill(ALL)
    await pods.startAll(ALL)
    await writer?.goesOn(WRITES, FORMED_WITHIN_MS)
    await pods.ready(ALL, FORMED_WITHIN_MS)
    console.info(`no write for ${Math.round(writer?.longestGapMs(killedAt) ?? 0)} ms`)
    const permits = pods.permits(killedAt)
    expect(permits.map(kindOf).filter((kind) => kind !== 'join')).toEqual(['bootstrap'])
    expect(pods.overlappingJoins(killedAt)).toEqual([])
    const positions = pods.members.map(positionOf)
    const starter = permits.find((permit) => kindOf(permit) === 'bootstrap')?.pod ?? -1
    expect(positions[starter]).toBe(Math.max(...positions))
    expect(uuids()).toEqual(before)
    for (const member of pods.members) expect(await writer?.lostOn(member)).toEqual([])
  })

  it('never starts the cluster again by a server that is killed after it did', async () => {
    const before = uuids()
    const starter = pods.permits().findLast((permit) => kindOf(permit) !== 'join')?.pod ?? -1
    const killedAt = Date.now()
    await pods.member(starter).kill()
    await waitFor('it starts again', () => pods.permits(killedAt).length > 0, FORMED_WITHIN_MS)
    await pods.ready(ALL, FORMED_WITHIN_MS)
    expect(pods.permits(killedAt).map((permit) => [permit.pod, kindOf(permit)])).toEqual([
      [starter, 'join'],
    ])
    expect(uuids()).toEqual(before)
    await writer?.goesOn(WRITES, FORMED_WITHIN_MS)
    expect(await writer?.lostOn(pods.member(starter))).toEqual([])
  })
})

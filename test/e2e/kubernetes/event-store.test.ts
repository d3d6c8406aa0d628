import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { Namespace, Release, run } from './cluster.ts'
import { Dependent } from './dependent.ts'
import { DOUBLE_VALUES, MONGODB, provideDouble } from './mongodb-subject.ts'
import { pageCommands, readerOf } from './page-commands.ts'
import { STAND_IN } from './postgresql-subject.ts'

const VALUES = 'examples/event-store/event-store-values.yaml'
const commandsOf = pageCommands('examples/event-store/README.md')

/** The page of the example, from its first command to its last, as a reader follows it. */
describe.sequential('the event store', { timeout: 900_000 }, () => {
  const namespace = new Namespace('event-store')
  const release = new Release(namespace, 'event-store')
  const [kafka, mongodb, postgresql] = ['kafka', 'mongodb', 'postgresql'].map(
    (component) => new Dependent(release, component),
  ) as [Dependent, Dependent, Dependent]
  const set = MONGODB.subject(mongodb, null)

  beforeAll(async () => {
    provideDouble()
    await namespace.create()
  }, 300_000)
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => console.log(await namespace.report()), 60_000)
  })
  afterAll(() => namespace.remove(), 300_000)

  const images = [...imagesOnly(DOUBLE_VALUES), ...imagesOnly(STAND_IN)]
  const type = readerOf(namespace, VALUES, images)

  const connect = 'event-store-kafka-bootstrap:9092'
  const kafkaTool = (tool: string, ...args: string[]) =>
    kafka.exec(0, 'env', 'KAFKA_HEAP_OPTS=-Xmx96m', `/opt/kafka/bin/${tool}.sh`, ...args)

  it('is installed by one command, and is whole when the sets are', async () => {
    const [install] = commandsOf('Install')
    await type(install)
    expect(await set.members()).toEqual([0, 1])
    for (const [dependent, count] of [
      [kafka, 3],
      [mongodb, 2],
      [postgresql, 3],
    ] as const) {
      await dependent.published(count)
      expect(await dependent.restarts(count)).toEqual(Array(count).fill(0))
    }
  })

  it('is used as the page says', async () => {
    const [tree, topic, mongosh, sql] = commandsOf('Use it')
    expect(await type(tree)).toContain('[0, 1, 2]')
    // kcat's line asks from outside of the cluster: what a pod is told at a node port is the same.
    const [inside = ''] = topic?.split('\nNODE=') ?? []
    expect(await type(inside)).toContain('Created topic events')
    const node = await run('kubectl', [
      ...['get', 'nodes', '-o'],
      'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}',
    ])
    const outside = `${node}:31090`
    const told = await kafkaTool('kafka-broker-api-versions', '--bootstrap-server', outside)
    for (const port of [31_090, 31_091, 31_092]) expect(told).toContain(`:${port} (id:`)
    // There is no mongosh beside the double of mongod; its connection string is what counts.
    const [uri = ''] = mongosh?.split('\n') ?? []
    expect(await type(`${uri}\nprintf %s "$URI"`)).toMatch(
      /^mongodb:\/\/events:[^@]+@.*replicaSet=rs0/,
    )
    expect(await type(sql)).toContain('CREATE DATABASE')
  })

  it('takes a third member of MongoDB by a number, and gives it back', async () => {
    const [scale] = commandsOf('Scale it')
    await type(scale)
    await mongodb.ready(3)
    await waitFor('it votes', async () => (await set.members()).join() === '0,1,2', 120_000)
    await mongodb.scale(2)
    await mongodb.ready(2)
    expect(await set.members()).toEqual([0, 1])
  })

  it('comes back when it is broken', async () => {
    const [commands = ''] = commandsOf('Break it')
    const [one, all] = commands.trim().split('\n')
    await type(one)
    await Promise.all([kafka.ready(3, 600), mongodb.ready(2, 600), postgresql.ready(3, 600)])
    await type(all)
    await release.rolledOut(600)
    await Promise.all([kafka.ready(3, 600), mongodb.ready(2, 600), postgresql.ready(3, 600)])
    const [, , , sql = ''] = commandsOf('Use it')
    const list = sql.replace('create database events', 'select datname from pg_database')
    expect(await type(list)).toMatch(/^ events$/m)
    const topics = await kafkaTool('kafka-topics', '--bootstrap-server', connect, '--list')
    expect(topics).toContain('events')
  })

  it('leaves nothing when it is removed as the page says', async () => {
    const [uninstall, rest] = commandsOf('Remove it')
    await type(uninstall)
    const pods = () => namespace.json<{ items: unknown[] }>('pods', '-l', OWN)
    await waitFor('pods are gone', async () => (await pods()).items.length === 0, 360_000)
    await type(rest)
    const kinds = 'all,pvc,secret,role,rolebinding,serviceaccount,pdb,networkpolicy'
    const { items } = await namespace.json<{ items: { metadata: { name: string } }[] }>(kinds)
    const names = items.map(({ metadata }) => metadata.name)
    expect(names.filter((name) => name.startsWith('event-store'))).toEqual([])
  })
})

const OWN = 'app.kubernetes.io/instance=event-store'

/** The images among arguments of helm, without the files of values and the sizes. */
function imagesOnly(values: readonly string[]): string[] {
  return values.flatMap((word, at) =>
    /^\w+\.image\./.test(word) ? [values[at - 1] ?? '', word] : [],
  )
}

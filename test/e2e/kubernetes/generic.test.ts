import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { BuiltImage } from './built-image.ts'
import { Namespace, Release } from './cluster.ts'
import { Dependent } from './dependent.ts'
import { pageCommands, readerOf } from './page-commands.ts'

const VALUES = 'examples/redis/redis-values.yaml'
const commandsOf = pageCommands('examples/redis/README.md')
/** The image of the example. */
const IMAGE = new BuiltImage('QUORATE_E2E_REDIS_IMAGE', 'localhost/quorate-redis:7.0.15')
const OWN = 'app.kubernetes.io/instance=cache'
const WITHIN_MS = 180_000

/** The page of the example, from its first command to its last, as a reader follows it. */
describe.sequential('Redis with Sentinel, by values alone', { timeout: 900_000 }, () => {
  const namespace = new Namespace('generic')
  const release = new Release(namespace, 'cache-quorate')
  const redis = new Dependent(release, 'redis')
  const sentinel = new Dependent(release, 'sentinel')
  let password = ''
  const written: string[] = []

  beforeAll(async () => {
    IMAGE.provide('examples/redis')
    await namespace.create()
  }, 600_000)
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => console.log(await namespace.report()), 60_000)
  })
  afterAll(() => namespace.remove(), 300_000)

  const images = ['redis', 'sentinel'].flatMap((name) => IMAGE.values(`generic.${name}.image`))
  const type = readerOf(namespace, VALUES, images)

  const ask = (ordinal: number, host: string, ...words: string[]) =>
    redis.exec(ordinal, 'redis-cli', '--no-auth-warning', '-a', password, '-h', host, ...words)

  async function leader(): Promise<number> {
    return await waitFor(
      'one of them leads',
      async () => {
        const documents = await redis.documents()
        const leading = [...documents].filter(([, { payload }]) => payload.role === 'primary')
        const [first, second] = leading.map(([pod]) => redis.ordinalOf(pod))
        return first === undefined || second !== undefined ? undefined : { ordinal: first }
      },
      WITHIN_MS,
    ).then(({ ordinal }) => ordinal)
  }

  /** Through the Service of primaries, on two members at least when it is acknowledged. */
  async function write(key: string): Promise<void> {
    const script = `redis.call('set', KEYS[1], 1) return 1`
    await waitFor(
      `${key} is written`,
      async () => {
        const at = await leader()
        const host = `${redis.name}-${at}.${redis.name}-hs`
        expect(await ask(at, `${redis.name}-rw`, 'eval', script, '1', key)).toBe('1')
        return Number(await ask(at, host, 'wait', '1', '5000')) > 0
      },
      WITHIN_MS,
    )
    written.push(key)
  }

  async function hasAll(): Promise<void> {
    for (const key of written) {
      expect(await ask(0, `${redis.name}-rw`, 'get', key)).toBe('1')
    }
  }

  it('is installed by one command, and founded once', async () => {
    await type(commandsOf('Install')[0])
    await redis.ready(3)
    await sentinel.ready(3)
    await redis.published(3)
    await sentinel.published(3)
    expect(await leader()).toBe(0)
    expect(await redis.restarts(3)).toEqual([0, 0, 0])
    expect(await redis.onRecord()).toMatchObject({ by: `${redis.name}-0` })
  })

  it('is used as the page says', async () => {
    const [use = ''] = commandsOf('Use it')
    expect(await type(use)).toMatch(/OK\s+hello/)
    password = await type(`${use.split('\n')[0]}\nprintf %s "$PASSWORD"`)
    await write('a')
  })

  it('has its users by a znode', async () => {
    const restarts = await redis.restarts(3)
    const [block = ''] = commandsOf('Change its users')
    const at = block.lastIndexOf('kubectl exec')
    await type(block.slice(0, at))
    const logIn = block.slice(at)
    await waitFor('the user can log in', async () => (await type(logIn)).includes('PONG'), 30_000)
    expect(await redis.restarts(3)).toEqual(restarts)
  })

  it('goes from three to five and back, and sentinels forget who is gone', async () => {
    const [, , down = ''] = commandsOf('Scale it')[0]?.trim().split('\n') ?? []
    await type(commandsOf('Scale it')[0]?.replace(down, ''))
    await redis.ready(5)
    await write('b')
    await type(down)
    await redis.ready(3)
    await redis.published(3)
    const replicas = async () => {
      const where = ['-p', '26379', 'sentinel', 'replicas', 'quorate']
      const told = await sentinel.exec(
        0,
        'redis-cli',
        '--no-auth-warning',
        '-a',
        password,
        ...where,
      )
      return told.split('\n').filter((line) => line === 'name').length
    }
    await waitFor('there are two replicas', async () => (await replicas()) === 2, WITHIN_MS)
    await write('c')
    await hasAll()
  })

  it('hands over before its primary is restarted', async () => {
    const before = await leader()
    const [uid] = (await redis.uids(before + 1)).slice(-1)
    await namespace.kubectl('delete', 'pod', `${redis.name}-${before}`, '--wait=false')
    await waitFor('another leads', async () => (await leader()) !== before, WITHIN_MS)
    await waitFor(
      'the pod is another one',
      async () => (await redis.pod(before)).metadata.uid !== uid,
      WITHIN_MS,
    )
    await redis.ready(3)
    await write('d')
    await hasAll()
  })

  it('comes back when it is broken', async () => {
    const [one, all] = commandsOf('Break it')[0]?.trim().split('\n') ?? []
    await type(one)
    await write('e')
    await redis.ready(3, 600)
    await type(all)
    await release.rolledOut(600)
    await redis.ready(3, 600)
    await sentinel.ready(3, 600)
    await write('f')
    await hasAll()
  })

  it('leaves nothing when it is removed as the page says', async () => {
    const lines = commandsOf('Remove it')[0]?.trim().split('\n') ?? []
    await type(lines[0])
    const pods = () => namespace.json<{ items: unknown[] }>('pods', '-l', OWN)
    await waitFor('pods are gone', async () => (await pods()).items.length === 0, 360_000)
    await type(lines.slice(1).join('\n'))
    const kinds = 'all,pvc,secret,role,rolebinding,serviceaccount,pdb,networkpolicy'
    const { items } = await namespace.json<{ items: { metadata: { name: string } }[] }>(kinds)
    const names = items.map(({ metadata }) => metadata.name)
    expect(names.filter((name) => name.startsWith('cache'))).toEqual([])
  })
})

import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MongodbView } from '../../../../agent/core/cluster/mongodb-plan.ts'
import { refusals } from '../../../../agent/engines/mongodb/mongod.ts'
import type { MongodbEngine } from '../../../../agent/engines/mongodb/mongodb-engine.ts'
import { AgentError } from '../../../../agent/errors.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { callOf, engineOf, flagsOf, warnings } from './engines.ts'
import { agentCredentials, isDouble, Servers } from './servers.ts'

describe.skipIf(!isDouble)('the engine of MongoDB, with doubles of mongod', () => {
  let servers: Servers
  let engines: MongodbEngine[]
  const engine = (index: number): MongodbEngine => {
    const found = engines[index]
    if (found === undefined) throw new Error(`no engine ${index}`)
    return found
  }
  const volumeOf = (index: number) => join(servers.root, `pod-${index}`)
  const dbPathOf = (index: number) => join(volumeOf(index), 'db')
  const call = (index: number, replicas = 3) => callOf(engine(index), index, replicas)
  const count = (index: number, command: string) =>
    servers.double(index).commands.filter((name) => name === command).length

  async function seen(index: number, expected: Partial<MongodbView>): Promise<MongodbView> {
    return await waitFor(`${index} sees ${JSON.stringify(expected)}`, async () => {
      const view = await engine(index).observe()
      expect(view).toMatchObject(expected)
      return view
    })
  }

  beforeAll(async () => {
    servers = await Servers.create(4)
    engines = servers.ports.map((_, index) => engineOf(servers, index))
    await Promise.all([0, 1, 2].map((index) => servers.start(index, dbPathOf(index))))
  })

  afterAll(async () => {
    await servers.close()
  })

  it('renders what mongod needs, and a line that never depends on how it starts', () => {
    const line = engine(0).permitLine()
    const key = join(servers.root, 'pod-0', 'run', 'mongodb.key')
    const db = join(servers.root, 'pod-0', 'db')
    const port = servers.ports[0]
    expect(line).toBe(`--replSet rs0 --port ${port} --dbpath ${db} --keyFile ${key}`)
    expect(statSync(key).mode & 0o777).toBe(0o400)
    expect(readFileSync(key, 'utf8')).toBe(readFileSync(servers.keyFile, 'utf8'))
    expect(statSync(db).isDirectory()).toBe(true)
    expect(engine(0).permitLine()).toBe(line)
  })

  it('sees a process in no replica set, and one that is not there', async () => {
    const none = { answers: true, ready: false, clusterId: '', state: 'uninitiated' } as const
    await seen(0, { ...none, retired: false, usersMissing: null })
    const silent = { answers: false, silentMs: 0, resolves: true }
    expect(await engine(3).observe()).toMatchObject(silent)
    expect(engine(0).discover()).toEqual({ kind: 'empty', founding: null })
  })

  it('forms no set that it may not, and changes nothing then', async () => {
    const fence = {
      token: '',
      check: () => {
        throw new AgentError('TREE_FENCED', 'the lock may be lost')
      },
    }
    const fenced = await callOf(engine(0), 0, 3, fence)
    await expect(engine(0).bootstrap(fenced)).rejects.toMatchObject({ code: 'TREE_FENCED' })
    expect(count(0, 'replSetInitiate')).toBe(0)
  })

  it('takes an initiation that was done before for its own, and waits for the primary', async () => {
    const code = refusals.alreadyInitialized
    servers.fail(0, { command: 'replSetInitiate', mode: 'refuse', code, times: 1 })
    await expect(engine(0).bootstrap(await call(0))).rejects.toThrow('not primary yet')
  })

  it('forms the set through a lost answer, with its users, exactly once', async () => {
    servers.fail(0, { command: 'replSetInitiate', mode: 'dropAfter', times: 1 })
    await expect(engine(0).bootstrap(await call(0))).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
    })
    servers.fail(0, { command: 'createUser', mode: 'dropAfter', times: 1 })
    await expect(engine(0).bootstrap(await call(0))).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
    })
    // The agent's user is there by now, and the other is not.
    const view = await seen(0, { leads: true, usersMissing: ['app'] })
    expect(view.clusterId).toMatch(/^[0-9a-f]{24}$/)
    await engine(0).bootstrap(await call(0))
    // An agent that was just started has not logged in yet.
    await engineOf(servers, 0).bootstrap(await call(0))
    expect(count(0, 'replSetInitiate')).toBe(2)
    await seen(0, { leads: true, leader: 'q-0', role: 'primary', ready: true, usersMissing: [] })
    const { clusterId } = view
    expect(engine(0).discover()).toEqual({
      kind: 'member',
      clusterId,
      incarnation: '',
      departed: false,
    })
    expect(await engine(0).version()).toBe('8.0.0-double')
  })

  it('does not initiate beside a set that runs', async () => {
    const late = await call(1)
    await expect(engine(1).bootstrap(late)).rejects.toMatchObject({
      message: expect.stringContaining('runs in a replica set'),
    })
    expect(count(1, 'replSetInitiate')).toBe(0)
  })

  it('joins without a vote, through a primary that cannot just now, and once', async () => {
    for (const code of [refusals.configurationInProgress, refusals.incompatibleConfig]) {
      servers.fail(0, { command: 'replSetReconfig', mode: 'refuse', code, times: 1 })
    }
    expect(await engine(1).join(await call(1))).toBe(true)
    expect(await engine(1).join(await call(1))).toBe(false)
    const view = await seen(1, { state: 'secondary', leader: 'q-0', ready: true })
    expect(view.members).toMatchObject([
      { name: 'q-0', voter: true },
      { name: 'q-1', voter: false, electable: false },
    ])
    expect(engine(1).discover()).toMatchObject({ kind: 'member', clusterId: view.clusterId })
  })

  it('gives it its vote, and the next one too', async () => {
    await engine(1).perform('promote', {}, await call(1))
    await seen(0, { leads: true })
    await seen(0, { leads: true })
    expect(warnings.filter((line) => line.includes('two members vote'))).toHaveLength(1)
    await engine(2).join(await call(2))
    await seen(2, { state: 'secondary' })
    await engine(2).perform('promote', {}, await call(2))
    const { members, connection } = await seen(0, { leads: true })
    expect(members.map(({ voter }) => voter)).toEqual([true, true, true])
    expect(connection).toBe(
      `mongodb://${servers.places.slice(0, 3).join(',')}/?replicaSet=rs0&connectTimeoutMS=5000`,
    )
  })

  it('knows the set of a member that has no users yet', async () => {
    await servers.start(3, join(servers.root, 'slow', 'db'), { initialSyncMs: 60_000 })
    const slow = engineOf(servers, 3, { dataDirectory: join(servers.root, 'slow') })
    servers.fail(3, {
      command: 'saslStart',
      mode: 'refuse',
      code: 18,
      times: Number.POSITIVE_INFINITY,
    })
    await slow.join(await callOf(slow, 3))
    const { clusterId } = await engine(0).observe()
    await waitFor('it knows', async () => (await slow.observe()).clusterId === clusterId)
    expect(slow.discover()).toMatchObject({ kind: 'member', clusterId })
    await servers.kill(3)
    await engine(0).leave('q-3', await call(0))
  })

  it('hands over to a member that has everything', async () => {
    await waitFor('hands over', async () => {
      await engine(0).drain()
      return true
    })
    await seen(0, { leads: false, state: 'secondary' })
    await engine(0).drain()
    const primary = await servers.primary()
    expect(primary).not.toBe(0)
    await seen(primary, { leads: true })
  })

  it('removes no primary, and a secondary in two steps that have committed', async () => {
    const primary = await servers.primary()
    const other = primary === 1 ? 2 : 1
    await expect(engine(other).leave(`q-${primary}`, await call(other))).rejects.toMatchObject({
      message: expect.stringContaining('cannot be removed'),
    })
    const before = count(primary, 'replSetReconfig')
    await engine(other).leave(`q-${other}`, await call(other))
    expect(count(primary, 'replSetReconfig')).toBe(before + 2)
    await engine(primary).leave(`q-${other}`, await call(primary))
    expect(count(primary, 'replSetReconfig')).toBe(before + 2)
    const { clusterId } = await seen(primary, { leads: true })
    await seen(other, { retired: true, state: 'removed', clusterId, ready: false })
    expect(await engine(other).join(await call(other))).toBe(true)
    await seen(other, { retired: false, state: 'secondary' })
    await engine(other).perform('promote', {}, await call(other))
  })

  it('has removed nobody before that has committed', async () => {
    const primary = await servers.primary()
    servers.double(primary).commitsNothing = true
    let ended = false
    const left = engine(primary)
      .leave('q-3', await call(primary))
      .finally(() => {
        ended = true
      })
    const asked = count(primary, 'replSetGetConfig')
    await waitFor('it asks on', () => count(primary, 'replSetGetConfig') > asked + 3)
    expect(ended).toBe(false)
    servers.double(primary).commitsNothing = false
    await left
  })

  it('has a member that does not find itself look again', async () => {
    const primary = await servers.primary()
    const other = primary === 1 ? 2 : 1
    servers.double(other).loseItself()
    await seen(other, { retired: true })
    const before = count(primary, 'replSetReconfig')
    expect(await engine(other).join(await call(other))).toBe(true)
    expect(count(primary, 'replSetReconfig')).toBe(before + 1)
    const { members } = await seen(other, { retired: false, state: 'secondary' })
    expect(members.every(({ voter }) => voter)).toBe(true)
  })

  it('lets other duties have their turn when a user cannot be made', async () => {
    const primary = await servers.primary()
    const { mongodbUsers = '' } = flagsOf(servers, primary)
    const more = engineOf(servers, primary, {
      mongodbUsers: `${mongodbUsers},second=no@shop:${join(servers.root, 'app-password')}`,
    })
    const at = await waitFor('it is missing', async () => {
      const asked = await callOf(more, primary)
      expect(asked.observation.engine.usersMissing).toEqual(['second'])
      return asked
    })
    // Another made it meanwhile.
    servers.fail(primary, { command: 'createUser', mode: 'refuse', code: 51_003, times: 1 })
    await more.perform('users', {}, at)
    servers.fail(primary, { command: 'createUser', mode: 'refuse', code: 31, times: 1 })
    await expect(more.perform('users', {}, at)).rejects.toMatchObject({ detail: 31 })
    expect((await more.observe()).usersMissing).toBeNull()
    await more.perform('users', {}, at)
    expect((await more.observe()).usersMissing).toEqual([])
  })

  it('logs in with the password that is in the file by then', async () => {
    const file = join(servers.root, 'agent-password')
    const { user, password } = agentCredentials
    const primary = servers.client(await servers.primary())
    const other = (await servers.primary()) === 1 ? 2 : 1
    const change = async (pwd: string) => {
      await primary.asAgent({ updateUser: user, pwd }, 20_000)
      writeFileSync(file, `${pwd}\n`)
    }
    await change('another-secret')
    expect(await engine(other).join(await call(other))).toBe(false)
    await change(password)
    expect(await engine(other).join(await call(other))).toBe(false)
  })

  it('shows a member that serves as one, when the agent has no password for it', async () => {
    const file = join(servers.root, 'agent-password')
    const other = engineOf(servers, await servers.primary())
    rmSync(file)
    const reason = expect.stringContaining('the agent’s user may not look')
    expect(await other.observe()).toMatchObject({ answers: true, ready: true, reason })
    writeFileSync(file, agentCredentials.password)
    await waitFor('it looks', async () => (await other.observe()).reason === '')
  })

  it('takes no vote that those who are left could not do without', async () => {
    const primary = await servers.primary()
    const [other = 0, away = 0] = [0, 1, 2].filter((index) => index !== primary)
    await servers.kill(away)
    await waitFor('it is missed', async () => {
      const { members } = await engine(primary).observe()
      return members.find(({ name }) => name === `q-${away}`)?.heard === false
    })
    const before = count(primary, 'replSetReconfig')
    try {
      const yields = engine(other).perform('yieldVote', {}, await call(other))
      await expect(yields).rejects.toThrow('too few voters')
      expect(count(primary, 'replSetReconfig')).toBe(before)
      expect((await engine(other).observe()).voteless).toBe(false)
    } finally {
      await servers.start(away, dbPathOf(away))
    }
    await seen(away, { state: 'secondary' })
    await engine(other).perform('yieldVote', {}, await call(other))
    expect((await engine(other).observe()).voteless).toBe(true)
    await engine(other).perform('promote', {}, await call(other))
  })

  it('takes the vote and notes it before a member that gives up its data ends', async () => {
    const primary = await servers.primary()
    const other = primary === 1 ? 2 : 1
    servers.fail(other, { command: 'shutdown', mode: 'refuse', code: 11, times: 1 })
    const refused = engine(other).perform('resync', {}, await call(other))
    await expect(refused).rejects.toMatchObject({ detail: 11 })
    const { members, spent } = await seen(other, { state: 'secondary' })
    expect(members.find(({ name }) => name === `q-${other}`)?.voter).toBe(false)
    expect(spent).toBe(false)
    await engine(other).perform('resync', {}, await call(other))
    await seen(other, { answers: false, spent: true })
    await engine(other).perform('keep', {}, await call(other))
    await seen(other, { spent: false })
    await servers.start(other, dbPathOf(other))
    await seen(other, { state: 'secondary' })
    await engine(other).perform('promote', {}, await call(other))
  })

  it('starts without the data that is given up, and with what it has where it is not', async () => {
    const primary = await servers.primary()
    const other = primary === 1 ? 2 : 1
    await engine(other).perform('resync', {}, await call(other))
    engine(other).permitLine()
    await seen(other, { spent: false, aside: false })
    await servers.start(other, dbPathOf(other))
    await seen(other, { state: 'secondary' })
    await engine(other).perform('resync', {}, await call(other))
    await engine(other).perform('setAside', {}, await call(other))
    expect(engine(other).discover()).toEqual({ kind: 'empty', founding: null })
    await seen(other, { spent: false, aside: true })
    engine(other).permitLine()
    await servers.start(other, dbPathOf(other))
    await seen(other, { state: 'secondary' })
    await engine(other).perform('dropAside', {}, await call(other))
    await waitFor(
      'it is gone',
      () => !readdirSync(volumeOf(other)).some((name) => /^stale/.test(name)),
    )
    await seen(other, { aside: false })
    await engine(other).perform('promote', {}, await call(other))
  })

  it('is dead only when it takes connections and answers nothing for long', async () => {
    servers.fail(0, { command: 'ping', mode: 'hang', times: 2 })
    const view = await engine(0).observe()
    expect(view).toMatchObject({ answers: false })
    expect(engine(0).liveness(view)).toBe(true)
    expect(engine(0).liveness({ ...view, silentMs: 30_000 })).toBe(false)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect((await engine(0).observe()).silentMs).toBeGreaterThan(0)
    await seen(0, { answers: true, silentMs: 0 })
  })

  it.each([
    [
      'that closes them at once, as one with too many does',
      (socket: Socket) => socket.end(),
      false,
    ],
    ['that says nothing', (_: Socket) => {}, true],
  ])('takes connections to a server %s', async (_, take, isSilent) => {
    const server = createServer(take)
    const sockets: Socket[] = []
    server.on('connection', (socket) => sockets.push(socket))
    server.listen(servers.ports[3], '127.0.0.1')
    await once(server, 'listening')
    const late = engineOf(servers, 3)
    await late.observe()
    await pause(20)
    const { answers, silentMs } = await late.observe()
    for (const socket of sockets) socket.destroy()
    server.close()
    expect(answers).toBe(false)
    expect(silentMs > 0).toBe(isSilent)
  })

  it('takes a member whose files were deleted for an empty one', () => {
    expect(engine(0).discover().kind).toBe('member')
    rmSync(join(servers.root, 'pod-0', 'db'), { recursive: true })
    expect(engine(0).discover().kind).toBe('empty')
    engine(0).permitLine()
    writeFileSync(join(servers.root, 'pod-0', 'db', 'storage.bson'), '')
    expect(engine(0).discover().kind).toBe('empty')
  })

  it('says which setting is wrong', () => {
    const password = join(servers.root, 'empty')
    writeFileSync(password, '\n')
    const wrong = (changes: Record<string, string>) => () => engineOf(servers, 0, changes)
    expect(wrong({ mongodbUsers: 'app' })).toThrow('mongodbUsers: app is no user')
    expect(wrong({ mongodbAgentPasswordFile: password })).toThrow('holds no password')
    expect(wrong({ mongodbKeyFile: '' })).toThrow('mongodbKeyFile is empty')
  })
})

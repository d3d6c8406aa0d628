import { Timestamp } from 'bson'
import { Long, MongoClient, UUID } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  firstConfig,
  type SetConfig,
  withMember,
  withoutMember,
  withVote,
} from '../../../../agent/core/cluster/mongodb-config.ts'
import { refusals } from '../../../../agent/engines/mongodb/mongod.ts'
import { connectionString } from '../../../../agent/engines/mongodb/places.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { agentCredentials, isDouble, SET, Servers, what } from './servers.ts'

/** What the agent relies on. It is asked of a double, or of the mongod that MONGODB_BIN names. */
describe(`the contract with MongoDB, of ${what}`, () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.create(3)
    await Promise.all([0, 1, 2].map((index) => servers.start(index)))
  }, 60_000)

  afterAll(async () => {
    await servers.close()
  })

  async function codeOf(answer: Promise<unknown>): Promise<unknown> {
    return await answer.then(
      () => 0,
      (error: unknown) => Reflect.get(Object(error), 'detail'),
    )
  }

  async function configOn(index: number): Promise<SetConfig> {
    const { config } = await servers.client(index).asAgent({ replSetGetConfig: 1 })
    return config
  }

  /** Takes the steps there are, on whoever is primary by then, until the last has committed. */
  async function reconfigure(step: (config: SetConfig) => SetConfig | null): Promise<void> {
    await waitFor('the configuration has committed', async () => {
      const primary = servers.client(await servers.primary())
      const answer = await primary.asAgent({ replSetGetConfig: 1, commitmentStatus: true })
      const next = step(answer['config'])
      if (next === null) return answer['commitmentStatus']
      await primary.asAgent({ replSetReconfig: next, maxTimeMS: 20_000 }, 25_000)
      return null
    })
  }

  async function stateOf(index: number): Promise<unknown> {
    const { members } = await servers
      .client(await servers.primary())
      .asAgent({ replSetGetStatus: 1 })
    const rows: readonly { readonly name: string; readonly stateStr: string }[] = members
    return rows.find(({ name }) => name === servers.place(index))?.stateStr
  }

  it('says that it was never initiated', async () => {
    const client = servers.client(0)
    const hello = await client.plain({ hello: 1 })
    expect(hello).toMatchObject({ isWritablePrimary: false, secondary: false, isreplicaset: true })
    expect(hello['setName']).toBeUndefined()
    expect(await codeOf(client.plain({ replSetGetStatus: 1 }))).toBe(refusals.notYetInitialized)
  })

  it('is initiated once, and says so the second time', async () => {
    const client = servers.client(0)
    const command = { replSetInitiate: firstConfig(SET, servers.place(0), 0) }
    await client.plain(command, 20_000)
    expect(await servers.primary()).toBe(0)
    expect(await codeOf(client.plain(command))).toBe(refusals.alreadyInitialized)
  })

  it('makes the first user for whoever comes from localhost, and none after that', async () => {
    const client = servers.client(0)
    const { user, password } = agentCredentials
    const roles = [{ role: 'root', db: 'admin' }]
    const command = { createUser: user, pwd: password, roles, mechanisms: ['SCRAM-SHA-256'] }
    expect(await codeOf(client.asAgent({ replSetGetConfig: 1 }))).toBe(
      refusals.authenticationFailed,
    )
    await client.plain(command, 20_000)
    expect(await codeOf(client.plain({ ...command, createUser: 'x' }))).toBe(refusals.unauthorized)
    expect(await codeOf(client.asAgent(command))).toBe(refusals.userExists)
    const { users } = await client.asAgent({ usersInfo: [{ user, db: 'admin' }] })
    expect(users).toMatchObject([{ user }])
  })

  it('takes no wrong password, and answers without a login what probes ask', async () => {
    const client = servers.client(0, { ...agentCredentials, password: 'wrong' })
    expect(await codeOf(client.asAgent({ ping: 1 }))).toBe(refusals.authenticationFailed)
    expect(await client.plain({ ping: 1 })).toMatchObject({ ok: 1 })
  })

  it('takes a changed password from then on, and the old one no more', async () => {
    const admin = servers.client(0)
    const user = 'second'
    const created = { createUser: user, pwd: 'one', roles: [], mechanisms: ['SCRAM-SHA-256'] }
    await admin.asAgent(created, 20_000)
    await admin.asAgent({ updateUser: user, pwd: 'two' }, 20_000)
    const loginWith = (password: string) =>
      codeOf(servers.client(0, { user, password }).asAgent({ ping: 1 }))
    expect(await loginWith('one')).toBe(refusals.authenticationFailed)
    expect(await loginWith('two')).toBe(0)
  })

  it('refuses a version that is not newer, and more than one voter at a time', async () => {
    const primary = servers.client(0)
    const config = await configOn(0)
    const send = (changed: object) => codeOf(primary.asAgent({ replSetReconfig: changed }, 20_000))
    expect(await send(config)).toBe(refusals.incompatibleConfig)
    const voters = [1, 2].map((index) => ({ _id: index, host: servers.place(index) }))
    const two = { ...config, version: config.version + 1, members: [...config.members, ...voters] }
    expect(await send(two)).toBe(refusals.incompatibleConfig)
    const priority = { _id: 1, host: servers.place(1), votes: 0, priority: 1 }
    expect(await send({ ...two, members: [...config.members, priority] })).toBe(
      refusals.incompatibleConfig,
    )
  })

  it('has others in without a vote, and gives it to them when they have the data', async () => {
    for (const index of [1, 2]) {
      await reconfigure((config) => withMember(config, servers.place(index), index))
      await waitFor('it has the data', async () => (await stateOf(index)) === 'SECONDARY')
      await reconfigure((config) => withVote(config, servers.place(index)))
    }
    const { members } = await configOn(0)
    expect(members).toMatchObject([0, 1, 2].map((_id) => ({ _id, votes: 1, priority: 1 })))
  }, 60_000)

  it('has its users on every member, and is reconfigured on the primary alone', async () => {
    const secondary = servers.client(1)
    const config = await configOn(1)
    const command = { replSetReconfig: { ...config, version: config.version + 1 } }
    expect(await codeOf(secondary.asAgent(command))).toBe(refusals.notWritablePrimary)
  })

  it('gives its primary away, with all that was written', async () => {
    const before = await servers.primary()
    const command = { replSetStepDown: 60, secondaryCatchUpPeriodSecs: 10 }
    await servers.client(before).asAgent(command, 20_000)
    await waitFor('another is primary', async () => (await servers.primary()) !== before)
    expect(await codeOf(servers.client(before).asAgent(command))).toBe(refusals.notWritablePrimary)
  }, 60_000)

  it('loses nothing of what the official driver wrote, when its primary is killed', async () => {
    const uri = connectionString(servers.places, SET, false)
    const { user: username, password } = agentCredentials
    const driver = new MongoClient(uri, {
      auth: { username, password },
      retryWrites: false,
      heartbeatFrequencyMS: 500,
      serverSelectionTimeoutMS: 30_000,
    })
    try {
      const orders = driver.db('shop').collection<{ _id: number }>('orders')
      const acknowledged: number[] = []
      const write = async (_id: number) => {
        await orders.insertOne({ _id }, { writeConcern: { w: 'majority', wtimeoutMS: 5_000 } })
        acknowledged.push(_id)
      }
      for (let id = 0; id < 20; id += 1) await write(id)
      const killed = await servers.primary()
      await servers.kill(killed)
      await waitFor('a write after that', () => write(acknowledged.length + 1_000).then(() => true))
      await servers.start(killed)
      await waitFor('it is back', async () => (await stateOf(killed)) === 'SECONDARY')
      const found = await orders.find({}, { batchSize: 5 }).toArray()
      expect(found.map(({ _id }) => _id)).toEqual(expect.arrayContaining(acknowledged))
    } finally {
      await driver.close()
    }
  }, 90_000)

  it('tells the official driver what is news without being asked again', async () => {
    // A driver that is told no `topologyVersion` polls, and does not begin its watch of a server anew when
    // another connection to that one breaks.
    const driver = new MongoClient(connectionString(servers.places, SET, false))
    try {
      const streamed = new Set<string>()
      driver.on('serverHeartbeatSucceeded', ({ awaited, connectionId }) => {
        if (awaited) streamed.add(connectionId)
      })
      await driver.connect()
      await waitFor('all are watched so', async () => streamed.size === servers.places.length)
      const next = new Promise<number>((resolve) => {
        driver.on('serverDescriptionChanged', ({ newDescription: { type } }) => {
          if (type === 'RSPrimary') resolve(performance.now())
        })
      })
      const primary = await servers.primary()
      const beganMs = performance.now()
      await servers.client(primary).asAgent({ replSetStepDown: 5, secondaryCatchUpPeriodSecs: 5 })
      // Its own interval is 10 s.
      expect((await next) - beganMs).toBeLessThan(8_000)
    } finally {
      await driver.close()
    }
  }, 60_000)

  it('takes a repeated write for the one that it was, and no other with its _id', async () => {
    const client = servers.client(await servers.primary())
    const first = { insert: 'once', documents: [{ _id: 1 }], writeConcern: { w: 'majority' } }
    const numbered = { ...first, lsid: { id: new UUID() }, txnNumber: Long.fromNumber(1) }
    for (const _ of ['first', 'again']) {
      const answer = await client.asAgent(numbered, 20_000)
      expect(answer).toMatchObject({ ok: 1, n: 1 })
      expect(answer['writeErrors']).toBeUndefined()
    }
    expect(await client.asAgent(first, 20_000)).toMatchObject({
      n: 0,
      writeErrors: [{ index: 0, code: 11_000 }],
    })
    const { cursor } = await client.asAgent({ find: 'once' })
    expect(cursor.firstBatch).toEqual([{ _id: 1 }])
  })

  it('says how a user that it has logs in', async () => {
    const asks = async (user: string) =>
      (await servers.client(0).plain({ hello: 1, saslSupportedMechs: `admin.${user}` }))[
        'saslSupportedMechs'
      ]
    expect(await asks(agentCredentials.user)).toEqual(['SCRAM-SHA-256'])
    expect(await asks('nobody')).toBeUndefined()
  })

  it('acknowledges nothing to a majority that is not there, and has no primary then', async () => {
    const primary = await servers.primary()
    const others = [0, 1, 2].filter((index) => index !== primary)
    const client = servers.client(primary)
    await client.asAgent({ ping: 1 })
    for (const index of others) await servers.kill(index)
    const lost = client.asAgent(
      {
        insert: 'orders',
        documents: [{ _id: -1 }],
        writeConcern: { w: 'majority', wtimeout: 1_000 },
      },
      20_000,
    )
    const answer = await lost.catch((error: unknown) => error)
    expect(Object(answer)).not.toMatchObject({ ok: 1, n: 1, writeConcernError: undefined })
    await waitFor('it is no primary any more', async () => {
      return (await client.plain({ hello: 1 }))['isWritablePrimary'] === false
    })
    await Promise.all(others.map((index) => servers.start(index)))
    await servers.primary()
  }, 90_000)

  it.skipIf(!isDouble)(
    'has a primary that is cut off acknowledge nothing, and follow when it is back',
    async () => {
      const cut = await servers.primary()
      servers.double(cut).isolated = true
      const client = servers.client(cut)
      const command = { insert: 'orders', documents: [{ _id: -2 }] }
      const written = client.asAgent({ ...command, writeConcern: { w: 'majority' } }, 20_000)
      await expect(written).rejects.toMatchObject({ detail: refusals.interruptedByStateChange })
      const next = await servers.primary()
      expect(next).not.toBe(cut)
      servers.double(cut).isolated = false
      await waitFor('it follows', async () => (await stateOf(cut)) === 'SECONDARY')
      await waitFor('what nobody else had is gone', async () => {
        const { cursor } = await client.asAgent({ find: 'orders', filter: { _id: -2 } })
        return cursor.firstBatch.length === 0
      })
    },
  )

  it('removes a member, which says so itself, and takes it back', async () => {
    const gone = 1
    if ((await servers.primary()) === gone) {
      const command = { replSetStepDown: 60, secondaryCatchUpPeriodSecs: 10 }
      await servers.client(gone).asAgent(command, 20_000)
      await waitFor('another is primary', async () => (await servers.primary()) !== gone)
    }
    await reconfigure((config) => withoutMember(config, servers.place(gone)))
    const client = servers.client(gone)
    await waitFor(
      'it knows',
      async () => (await client.plain({ hello: 1 }))['setName'] === undefined,
    )
    expect(await codeOf(client.asAgent({ replSetGetStatus: 1 }))).toBe(refusals.invalidSetConfig)
    await reconfigure((config) => withMember(config, servers.place(gone), gone))
    await waitFor('it is back', async () => (await stateOf(gone)) === 'SECONDARY')
  }, 60_000)

  it('says how far back its oplog reaches, to whoever asks for that', async () => {
    const client = servers.client(await servers.primary())
    const { oplog } = await client.asAgent({ serverStatus: 1, oplog: 1, metrics: 0 })
    expect(oplog.earliestOptime).toBeInstanceOf(Timestamp)
    const { members } = await client.asAgent({ replSetGetStatus: 1 })
    for (const { optimeDate } of members) {
      expect(optimeDate.getTime()).toBeGreaterThanOrEqual(
        1_000 * oplog.earliestOptime.getHighBits(),
      )
    }
  })

  it('ends without an answer when it is told to, and goes on with its data', async () => {
    const other = ((await servers.primary()) + 1) % 3
    const ends = servers.client(other).asAgent({ shutdown: 1, force: true, timeoutSecs: 0 }, 20_000)
    await expect(ends).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
    await waitFor('it is gone', async () => {
      return (await codeOf(servers.client(other).plain({ ping: 1 }))) !== 0
    })
    await servers.start(other)
    await waitFor('it is back', async () => (await stateOf(other)) === 'SECONDARY')
  }, 60_000)
})

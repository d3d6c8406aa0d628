import { expect, it } from 'vitest'
import { type SaslAccount, saslResponse } from '../../support/sasl-client.ts'
import { authenticate, create, err, getAcl, getData, setAcl } from '../operations.ts'
import { type Acl, Fields, openAcl } from '../raw-bytes.ts'
import { op, type RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const SASL = 102
const sessionClosedRequireSaslAuth = -124
const AUTH: readonly Acl[] = [{ perms: 31, scheme: 'auth', id: '' }]
const owned = (id: string): Acl[] => [{ perms: 31, scheme: 'sasl', id }]

/** The users of the servers' JAAS file, where root may do everything. */
export const SASL_USERS = {
  bob: 'bobs',
  root: 'toor',
  super: 'of all that is sasl',
  'ann@home': 'x"y\\z',
  müller: 'päss',
} as const
const account = (user: keyof typeof SASL_USERS) => ({ user, password: SASL_USERS[user] })

export const saslUsersFile = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required // the users
${Object.entries(SASL_USERS)
  .map(([user, password]) => `  "user_${user}"="${password.replace(/["\\]/g, '\\$&')}"`)
  .join('\n')};
};
`

interface Answer {
  readonly err: number
  readonly zxid: bigint
  readonly token: Buffer | null
}

async function say(client: RawClient, token: Uint8Array): Promise<Answer> {
  const { err: error, zxid, body } = await client.request(SASL, new Fields().text(token))
  return { err: error, zxid, token: body.buffer() }
}

/** The answer to the response, and the proof that it should be. */
async function attempt(client: RawClient, who: SaslAccount): Promise<Answer & { proof: string }> {
  const challenge = await say(client, Buffer.alloc(0))
  const { token, proof } = saslResponse(challenge.token ?? Buffer.alloc(0), who)
  return { ...(await say(client, token)), proof }
}

/** The identities of the client as `scheme:user`, sorted: in ZooKeeper they have no order. */
async function whoAmI(client: RawClient): Promise<string[]> {
  const { body } = await client.request(op.whoAmI)
  const found = Array.from({ length: body.int() }, () => `${body.text()}:${body.text()}`)
  return found.sort()
}

const exists = (client: RawClient) => client.request(op.exists, new Fields().text('/').bool(false))

/** Servers with users, and no demands. */
export function saslSuite(target: Target): void {
  const sessions = new Sessions(target)

  it('challenges, and proves itself to who has proved a password', async () => {
    const client = await sessions.client()
    const challenge = await say(client, Buffer.alloc(0))
    expect(challenge).toMatchObject({ err: 0, zxid: 0n })
    expect(String(challenge.token)).toMatch(
      /^realm="zk-sasl-md5",nonce="[\w+/]{40}",charset=utf-8,algorithm=md5-sess$/,
    )
    const { token, proof } = saslResponse(challenge.token ?? Buffer.alloc(0), account('bob'))
    const answer = await say(client, token)
    expect({ ...answer, token: String(answer.token) }).toEqual({ err: 0, zxid: 0n, token: proof })
    expect(await whoAmI(client)).toEqual(['ip:127.0.0.1', 'sasl:bob'])
  })

  it.each(['ann@home', 'müller', 'super'] as const)('knows %s', async (user) => {
    const client = await sessions.client()
    const { token, proof } = await attempt(client, account(user))
    expect(String(token)).toBe(proof)
    expect(await whoAmI(client)).toEqual(['ip:127.0.0.1', `sasl:${user}`])
  })

  it.each<[string, Partial<SaslAccount>]>([
    ['a wrong password', { password: 'guess' }],
    ['an unknown user', { user: 'eve' }],
    ['another realm', { directives: { realm: '"other"' } }],
    ['another nonce', { directives: { nonce: '"other"' } }],
    ['another host', { directives: { 'digest-uri': '"zookeeper/host"' } }],
    ['integrity', { directives: { qop: 'auth-int' } }],
    ['charset in capitals', { directives: { charset: 'UTF-8' } }],
    ['a user twice', { directives: { username: '"bob",username="bob"' } }],
    ['an open quote', { directives: { foo: '"' } }],
  ])('answers %s with AuthFailed and no token, and closes', async (_, wrong) => {
    const client = await sessions.client()
    const answer = await attempt(client, { ...account('bob'), ...wrong })
    expect(answer).toMatchObject({ err: err.authFailed, zxid: 0n, token: null })
    expect(await client.connection.closed()).toEqual([])
  })

  it.each<[string, Record<string, string | null>]>([
    ['no count of the nonce', { nc: null }],
    ['another count', { nc: '00000002' }],
    ['no qop', { qop: null }],
    ['no charset', { charset: null }],
    ['what it does not know', { foo: ' "a , b" ,, bar=x' }],
    ['names in capitals', { username: null, USERNAME: '"bob"' }],
  ])('takes %s', async (_, directives) => {
    const client = await sessions.client()
    expect((await attempt(client, { ...account('bob'), directives })).err).toBe(0)
    expect(await whoAmI(client)).toEqual(['ip:127.0.0.1', 'sasl:bob'])
  })

  it('takes a first token that is not empty for an empty one', async () => {
    const client = await sessions.client()
    expect(String((await say(client, Buffer.from('hello'))).token)).toContain('nonce=')
  })

  it('has one exchange on a connection', async () => {
    const client = await sessions.client()
    await attempt(client, account('bob'))
    expect(await say(client, Buffer.alloc(0))).toMatchObject({ err: err.authFailed, token: null })
    expect(await client.connection.closed()).toEqual([])
  })

  it('lets nobody be another by asking for it', async () => {
    const client = await sessions.client()
    expect((await attempt(client, { ...account('bob'), authzid: 'root' })).err).toBe(0)
    expect(await whoAmI(client)).toEqual(['ip:127.0.0.1', 'sasl:bob'])
  })

  it.each([
    ['null', new Fields().int(-1)],
    ['no', new Fields()],
  ])('closes over %s token without an answer', async (_, body) => {
    const client = await sessions.client()
    client.send(SASL, body)
    expect(await client.connection.closed()).toEqual([])
  })

  it('has users own znodes, on every server', async () => {
    const bob = await sessions.client({}, 1)
    await attempt(bob, account('bob'))
    const place = await sessions.place(bob)
    expect(await create(bob, `${place}/a`, 'of bob', { acl: AUTH })).toMatchObject({ err: 0 })
    expect((await getAcl(bob, `${place}/a`)).acl).toEqual(owned('bob'))
    const [anonymous, ann, again] = await Promise.all([0, 1, 2].map((n) => sessions.client({}, n)))
    if (!anonymous || !ann || !again) throw new Error('three clients')
    await attempt(ann, account('ann@home'))
    await attempt(again, account('bob'))
    for (const other of [anonymous, ann, again]) {
      await other.catchUp()
    }
    expect((await getData(anonymous, `${place}/a`)).err).toBe(err.noAuth)
    expect((await getData(ann, `${place}/a`)).err).toBe(err.noAuth)
    expect((await getData(again, `${place}/a`)).data).toBe('of bob')
    expect((await setAcl(ann, `${place}/a`, openAcl)).err).toBe(err.noAuth)
    expect((await setAcl(again, `${place}/a`, openAcl)).err).toBe(err.ok)
  })

  it('has a superuser of everything, and a user super of all that is of sasl', async () => {
    const bob = await sessions.client()
    await attempt(bob, account('bob'))
    await authenticate(bob, 'digest', 'bob:x')
    const place = await sessions.place(bob)
    const digest: Acl = { perms: 31, scheme: 'digest', id: 'ann:hash' }
    await create(bob, `${place}/sasl`, '', { acl: owned('nobody') })
    await create(bob, `${place}/digest`, '', { acl: [digest] })
    const root = await sessions.client()
    await attempt(root, account('root'))
    expect(await whoAmI(root)).toEqual(['ip:127.0.0.1', 'sasl:root', 'super:'])
    const superUser = await sessions.client()
    await attempt(superUser, account('super'))
    const seen = async (client: RawClient) => [
      (await getData(client, `${place}/sasl`)).err,
      (await getData(client, `${place}/digest`)).err,
    ]
    expect(await seen(bob)).toEqual([err.noAuth, err.noAuth])
    expect(await seen(root)).toEqual([0, 0])
    expect(await seen(superUser)).toEqual([0, err.noAuth])
  })

  it('takes any name for an owner that Kerberos would take', async () => {
    const client = await sessions.client()
    const place = await sessions.place(client)
    const codes = []
    for (const id of ['bob', '', '/', 'x y', '@', 'a/b@R', 'a@b@c', 'a/b/c@R']) {
      codes.push((await setAcl(client, place, [...openAcl, ...owned(id)])).err)
    }
    expect(codes).toEqual([0, 0, 0, 0, 0, 0, err.invalidAcl, err.invalidAcl])
  })

  it('has no scheme sasl of the auth request', async () => {
    const client = await sessions.client()
    expect((await authenticate(client, 'sasl', 'bob:bobs')).err).toBe(err.authFailed)
  })
}

/** Servers that demand a scheme. */
export function enforcingSuite(target: Target, scheme: 'sasl' | 'digest'): void {
  const sessions = new Sessions(target)
  const refused = { err: sessionClosedRequireSaslAuth, zxid: 0n }

  it.each([
    ['exists', op.exists, new Fields().text('/').bool(false)],
    ['a ping', op.ping, new Fields()],
    ['a close', op.close, new Fields()],
    ['an unknown operation', 999, new Fields()],
    ['a body that is too short', op.exists, new Fields()],
  ])('refuses %s of who has not authenticated, and closes', async (_, type, body) => {
    const client = await sessions.client()
    const message = await client.request(type, body)
    expect(message).toMatchObject(refused)
    expect(message.body.left).toBe(0)
    expect(await client.connection.closed()).toEqual([])
    const { sessionId, password } = client.session
    // The session is there, for one who comes back.
    expect((await sessions.client({ sessionId, password })).session.sessionId).toBe(sessionId)
  })

  it('serves who has authenticated by it, and no other', async () => {
    const bob = await sessions.client()
    await attempt(bob, account('bob'))
    expect((await exists(bob)).err).toBe(scheme === 'sasl' ? 0 : refused.err)
    const ann = await sessions.client()
    await authenticate(ann, 'digest', 'ann:x')
    expect((await exists(ann)).err).toBe(scheme === 'digest' ? 0 : refused.err)
  })

  it('tells who fails at sasl so, if sasl is demanded', async () => {
    const client = await sessions.client()
    const answer = await attempt(client, { user: 'bob', password: 'guess' })
    const error = scheme === 'sasl' ? refused.err : err.authFailed
    expect(answer).toMatchObject({ err: error, zxid: 0n, token: null })
    expect(await client.connection.closed()).toEqual([])
  })
}

/** Servers that keep a client that has failed. */
export function forgivingSuite(target: Target): void {
  const sessions = new Sessions(target)

  it('answers a wrong password with no token, and goes on', async () => {
    const client = await sessions.client()
    const answer = await attempt(client, { user: 'bob', password: 'guess' })
    expect(answer).toMatchObject({ err: 0, zxid: 0n, token: null })
    expect(await whoAmI(client)).toEqual(['ip:127.0.0.1'])
    expect(await say(client, Buffer.alloc(0))).toMatchObject({ err: 0, token: null })
  })
}

/** Servers without users, and without the scheme. */
export function withoutSaslSuite(target: Target): void {
  const sessions = new Sessions(target)

  it('answers every token with none, and goes on', async () => {
    const client = await sessions.client()
    for (const token of [Buffer.alloc(0), Buffer.from('x')]) {
      expect(await say(client, token)).toEqual({ err: 0, zxid: 0n, token: null })
    }
    expect((await exists(client)).err).toBe(0)
  })

  it('refuses ACLs of schemes that are off', async () => {
    const client = await sessions.client()
    const place = await sessions.place(client)
    for (const acl of [owned('bob'), [{ perms: 31, scheme: 'x509', id: 'CN=a' }]]) {
      expect((await setAcl(client, place, [...openAcl, ...acl])).err).toBe(err.invalidAcl)
      expect((await create(client, `${place}/a`, '', { acl })).err).toBe(err.invalidAcl)
    }
  })
}

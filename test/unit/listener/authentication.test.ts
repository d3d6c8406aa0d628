import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Acl } from '../../../server/core/tree/acl.ts'
import {
  type Authenticator,
  certificateIdentities,
  DIGEST_ALONE,
  digestId,
  digestIdentities,
} from '../../../server/listener/authentication.ts'
import { type SaslAccount, saslResponse } from '../../support/sasl-client.ts'
import { type Client, creation, ListenerHarness, text } from './client-harness.ts'

const SUPER_DIGEST = digestId('super:secret', 'sha1')
const withSasl: Authenticator = {
  ...DIGEST_ALONE,
  schemes: new Set(['digest', 'sasl']),
  saslUsers: new Map([
    ['bob', 'secret'],
    ['root', 'toor'],
  ]),
  saslSuperUsers: new Set(['root']),
}
const auth = (scheme: string, credential: string) =>
  ({ kind: 'auth', xid: -4, opcode: 100, scheme, auth: text(credential) }) as const
const whoAmI = (xid: number) => ({ kind: 'whoAmI', xid, opcode: 107 }) as const

/** The client's identities as `scheme:id`. */
function identitiesOf(client: Client, xid: number): string[] {
  client.send(whoAmI(xid))
  const { body } = client.reply(xid)
  if (body?.kind !== 'whoAmI') throw new Error('whoAmI is answered with identities')
  return body.identities.map(({ scheme, id }) => `${scheme}:${id}`)
}

function xidsOf(client: Client): (number | null)[] {
  return client.frames.map((frame) => (frame.kind === 'reply' ? frame.xid : null))
}

describe('the digest scheme', () => {
  it('makes a digest as every ZooKeeper client does', () => {
    // printf 'user:password' | openssl sha1 -binary | base64
    expect(digestId('user:password', 'sha1')).toBe('user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=')
  })

  it('makes it by another hash where that is set', () => {
    // As Apache ZooKeeper does, asked with each digestAlg.
    const of = (digestAlgorithm: string) =>
      digestIdentities({ ...DIGEST_ALONE, digestAlgorithm }, 'user:password')[0]?.id
    expect(of('sha256')).toBe('user:yRsdas04PETE7CDJcj51jDEYKh9PAjHWPZElmi6hS50=')
    expect(of('sha512-256')).toBe('user:BJ4p7RfQWcJD4uSvfIaTRHf2W3T/r7vXir0nGIUZvt4=')
    expect(of('sha512-224')).toBe('user:MZdBJGxu8PSnKQpp+Fo/Xs6A8MWSKppTyvOXgQ==')
    expect(of('sha3-256')).toBe('user:NAR2RZ7JZxGXKOuQubzhytx9PjP71AWWZoOY+TVw1hw=')
    expect(of('md5')).toBe('user:OunqX+etW/ZSxR9D2ldCLA==')
  })

  it('proves the superuser beside the user, by the configured digest', () => {
    const authenticator = { ...DIGEST_ALONE, superDigest: SUPER_DIGEST }
    expect(digestIdentities(authenticator, 'super:secret')).toEqual([
      { scheme: 'super', id: '' },
      { scheme: 'digest', id: SUPER_DIGEST },
    ])
    expect(digestIdentities(authenticator, 'super:guess')).toHaveLength(1)
    expect(digestIdentities(DIGEST_ALONE, 'super:secret')).toHaveLength(1)
  })
})

describe('whoAmI', () => {
  it('tells of the superuser, but not by which certificate', () => {
    const identities = certificateIdentities('CN=root', 'CN=root')
    const client = new ListenerHarness().open({ identities })
    expect(identitiesOf(client, 1)).toEqual(['ip:127.0.0.1', 'x509:CN=root', 'super:'])
  })
})

describe('auth on a connection', () => {
  it("is answered with the client's xid, which need not be -4", () => {
    const client = new ListenerHarness().open()
    client.send({ ...auth('digest', 'user:password'), xid: 77 })
    expect(client.reply(77)).toMatchObject({ error: ErrorCode.ok })
  })

  it('adds an identity once, for what is handed in afterwards', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/before'))
    client.send(auth('digest', 'user:password'), auth('digest', 'user:password'))
    client.write(2, creation('/after'))
    harness.ensemble.commitAll()
    const ids = harness.ensemble.submitted.slice(1).map(({ identities }) => identities.length)
    expect(ids).toEqual([1, 2])
    expect(client.frames.slice(0, 2)).toMatchObject([
      { xid: -4, zxid: 0, error: 0 },
      { xid: -4, zxid: 0, error: 0 },
    ])
    expect(identitiesOf(client, 3)).toEqual(['ip:127.0.0.1', 'digest:user'])
  })

  it.each([
    ['nonsense', 'x'],
    ['world', 'anyone'],
    ['sasl', 'bob:secret'],
    ['x509', ''],
    ['ensemble', 'one'],
  ])('that fails is answered AuthFailed, and the connection closes: %s', (scheme, credential) => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.send(auth(scheme, credential))
    expect(client.reply(-4)).toMatchObject({ error: ErrorCode.authFailed })
    expect(client.closed).toBe(true)
    expect(harness.stats.authFailures).toBe(1)
  })

  it('fails without a credential, and for a scheme that is off', () => {
    const harness = new ListenerHarness()
    const bare = harness.open()
    bare.send({ kind: 'auth', xid: -4, opcode: 100, scheme: 'digest', auth: null })
    expect(bare.reply(-4)).toMatchObject({ error: ErrorCode.authFailed })
    const off = harness.open({ authenticator: { ...DIGEST_ALONE, schemes: new Set() } })
    off.send(auth('digest', 'user:password'))
    expect(off.reply(-4)).toMatchObject({ error: ErrorCode.authFailed })
  })

  it('sends who mistook the ensemble elsewhere, without an answer', () => {
    const authenticator: Authenticator = {
      ...DIGEST_ALONE,
      schemes: new Set(['ensemble']),
      ensembleNames: new Set(['one', 'two']),
    }
    const harness = new ListenerHarness()
    const client = harness.open({ authenticator })
    for (const name of ['one', 'two', '']) client.send(auth('ensemble', name))
    expect(xidsOf(client)).toEqual([-4, -4, -4])
    expect(identitiesOf(client, 1)).toEqual(['ip:127.0.0.1'])
    client.send(auth('ensemble', 'three'))
    expect(client.frames).toHaveLength(4)
    expect(client.closed).toBe(true)
  })
})

describe('sasl on a connection', () => {
  /** The reply to a token: its error and token, and whether it was one. */
  function say(client: Client, xid: number, token: Uint8Array) {
    client.send({ kind: 'sasl', xid, opcode: 102, token })
    const frame = client.reply(xid)
    const answer = frame.body?.kind === 'sasl' ? frame.body.token : null
    return { zxid: frame.zxid, error: frame.error, token: answer }
  }

  function authenticate(client: Client, account: SaslAccount) {
    const challenge = say(client, 100, new Uint8Array()).token
    if (challenge === null) throw new Error('a challenge comes first')
    const { token, proof } = saslResponse(challenge, account)
    return { answer: say(client, 101, token), proof }
  }

  it('proves a user, and the server to the user', () => {
    const client = new ListenerHarness().open({ authenticator: withSasl })
    const { answer, proof } = authenticate(client, { user: 'bob', password: 'secret' })
    expect(answer).toMatchObject({ zxid: 0, error: 0 })
    expect(Buffer.from(answer.token ?? []).toString()).toBe(proof)
    expect(identitiesOf(client, 1)).toEqual(['ip:127.0.0.1', 'sasl:bob'])
  })

  it('makes the superuser of those that are', () => {
    const client = new ListenerHarness().open({ authenticator: withSasl })
    authenticate(client, { user: 'root', password: 'toor' })
    expect(identitiesOf(client, 1)).toEqual(['ip:127.0.0.1', 'sasl:root', 'super:'])
  })

  it('is answered at once, ahead of requests that wait', () => {
    const client = new ListenerHarness().open({ authenticator: withSasl })
    client.write(1, creation('/waits'))
    expect(say(client, 2, new Uint8Array()).token).not.toBeNull()
    expect(xidsOf(client)).toEqual([2])
  })

  it.each<[string, Partial<Authenticator>, number, boolean]>([
    ['AuthFailed, and closes', {}, ErrorCode.authFailed, true],
    ['no token, where that is allowed', { allowSaslFailedClients: true }, ErrorCode.ok, false],
    [
      'its own code where sasl is demanded, and closes',
      { allowSaslFailedClients: true, enforcedSchemes: new Set(['sasl']) },
      ErrorCode.sessionClosedRequireSaslAuth,
      true,
    ],
  ])('answers a wrong password with %s', (_, settings, error, closes) => {
    const harness = new ListenerHarness()
    const client = harness.open({ authenticator: { ...withSasl, ...settings } })
    const { answer } = authenticate(client, { user: 'bob', password: 'guess' })
    expect(answer).toEqual({ zxid: 0, error, token: null })
    expect(client.closed).toBe(closes)
    expect(harness.stats.authFailures).toBe(1)
    if (!closes) expect(identitiesOf(client, 1)).toEqual(['ip:127.0.0.1'])
  })

  it('has no token for anybody where there are no users', () => {
    const client = new ListenerHarness().open()
    expect(say(client, 1, new Uint8Array())).toEqual({ zxid: 0, error: 0, token: null })
    expect(client.closed).toBe(false)
  })

  it('has a nonce of its own for every connection', () => {
    const harness = new ListenerHarness()
    const challenges = [1, 2].map(() => {
      const client = harness.open({ authenticator: withSasl })
      return Buffer.from(say(client, 1, new Uint8Array()).token ?? []).toString()
    })
    expect(new Set(challenges).size).toBe(2)
  })
})

describe('a server that demands a scheme', () => {
  const demanding: Authenticator = { ...withSasl, enforcedSchemes: new Set(['digest', 'sasl']) }

  it('answers nothing else, and closes the connection but not the session', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ authenticator: demanding })
    client.write(1, creation('/a'))
    expect(client.reply(1)).toMatchObject({
      zxid: 0,
      error: ErrorCode.sessionClosedRequireSaslAuth,
    })
    expect(client.closed).toBe(true)
    expect(harness.ensemble.submitted).toHaveLength(1)
    const pinging = harness.open({ authenticator: demanding })
    pinging.send({ kind: 'ping', xid: -2, opcode: 11 })
    expect(pinging.reply(-2)).toMatchObject({ error: ErrorCode.sessionClosedRequireSaslAuth })
  })

  it('serves who has authenticated by one of them', () => {
    const client = new ListenerHarness().open({ authenticator: demanding })
    client.send(auth('digest', 'user:password'))
    expect(identitiesOf(client, 1)).toHaveLength(2)
  })
})

describe('ACLs', () => {
  const acl = (scheme: string): Acl => [{ permissions: 31, scheme, id: 'CN=a' }]

  it('of a scheme that is not on are handed in as none', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ authenticator: { ...DIGEST_ALONE, schemes: new Set(['sasl']) } })
    client.write(1, { ...creation('/a'), acl: acl('sasl') })
    client.write(2, { ...creation('/a'), acl: acl('x509') })
    client.write(3, { kind: 'setAcl', path: '/a', acl: acl('digest'), version: -1 })
    client.write(4, { kind: 'multi', operations: [{ ...creation('/a'), acl: acl('x509') }] })
    const lists = harness.ensemble.submitted.slice(1).map(({ operation }) => {
      const one = operation.kind === 'multi' ? operation.operations[0] : operation
      return one?.kind === 'create' || one?.kind === 'setAcl' ? one.acl : null
    })
    expect(lists).toEqual([acl('sasl'), [], [], []])
  })

  it('do not count for anybody where they are skipped, and nobody is told so', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ authenticator: { ...DIGEST_ALONE, skipAcl: true } })
    client.send(auth('digest', 'user:password'))
    client.write(1, creation('/a'))
    expect(harness.ensemble.submitted.at(-1)?.identities).toMatchObject([
      { scheme: 'ip' },
      { scheme: 'digest' },
      { scheme: 'super' },
    ])
    harness.ensemble.commitAll()
    expect(identitiesOf(client, 2)).toEqual(['ip:127.0.0.1', 'digest:user'])
  })
})

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { authenticate, digestId } from '../../../server/listener/authentication.ts'
import { creation, ListenerHarness, text } from './client-harness.ts'

const SUPER_DIGEST = digestId('super:secret')

describe('authentication', () => {
  it('makes a digest as every ZooKeeper client does', () => {
    // printf 'user:password' | openssl sha1 -binary | base64
    expect(digestId('user:password')).toBe('user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=')
  })

  it('proves a digest, and the superuser by the configured one', () => {
    const authenticator = { superDigest: SUPER_DIGEST }
    expect(authenticate(authenticator, 'digest', text('user:password'))).toEqual({
      scheme: 'digest',
      id: 'user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=',
    })
    expect(authenticate(authenticator, 'digest', text('super:secret'))).toEqual({
      scheme: 'super',
      id: '',
    })
    expect(authenticate({ superDigest: null }, 'digest', text('super:secret'))).toMatchObject({
      scheme: 'digest',
    })
  })

  it.each([
    ['sasl', text('x')],
    ['world', text('anyone')],
    [null, text('user:password')],
    ['digest', null],
  ])('proves nothing by scheme %s', (scheme, credential) => {
    expect(authenticate({ superDigest: SUPER_DIGEST }, scheme, credential)).toBeNull()
  })
})

describe('auth on a connection', () => {
  const auth = (scheme: string, credential: string) =>
    ({ kind: 'auth', xid: -4, opcode: 100, scheme, auth: text(credential) }) as const
  const whoAmI = (xid: number) => ({ kind: 'whoAmI', xid, opcode: 107 }) as const

  it('adds an identity once, for what is handed in afterwards', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/before'))
    client.send(auth('digest', 'user:password'), auth('digest', 'user:password'))
    client.write(2, creation('/after'))
    harness.ensemble.commitAll()
    client.send(whoAmI(3))
    const ids = harness.ensemble.submitted.slice(1).map(({ identities }) => identities.length)
    expect(ids).toEqual([1, 2])
    expect(client.frames.slice(0, 2)).toMatchObject([
      { xid: -4, zxid: 0, error: 0 },
      { xid: -4, zxid: 0, error: 0 },
    ])
    const { body } = client.reply(3)
    expect(body?.kind === 'whoAmI' && body.identities.map(({ scheme }) => scheme)).toEqual([
      'ip',
      'digest',
    ])
  })

  it('that fails is answered AuthFailed, and the connection closes', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.send(auth('nonsense', 'x'))
    expect(client.reply(-4)).toMatchObject({ error: ErrorCode.authFailed })
    expect(client.closed).toBe(true)
    expect(harness.stats.authFailures).toBe(1)
  })
})

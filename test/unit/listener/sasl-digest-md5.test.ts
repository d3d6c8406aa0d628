import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DigestMd5Exchange } from '../../../server/listener/sasl-digest-md5.ts'
import { type SaslAccount, saslResponse } from '../../support/sasl-client.ts'

const EMPTY = new Uint8Array()
const USERS = new Map([
  ['bob', 'secret'],
  ['ann@home', 'secret'],
  ['müller', 'päss'],
  ['日本', '語'],
  ['a"b\\c', 'x,y=z'],
])

function exchange(): DigestMd5Exchange {
  return new DigestMd5Exchange({
    realm: 'zk-sasl-md5',
    service: 'zookeeper',
    nonce: 'OA6MG9tEQGm2hh',
    passwordOf: (user) => USERS.get(user),
    tokenBytesMax: 4_096,
  })
}

/** The last step of an exchange with that account, and what would prove the server. */
function attempt(account: SaslAccount) {
  const server = exchange()
  const challenge = server.step(EMPTY)
  if (challenge.kind !== 'challenge') throw new Error('a challenge comes first')
  const { token, proof } = saslResponse(challenge.token, account)
  return { last: server.step(token), proof }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('the examples of RFC 2831', () => {
  it.each([
    [
      'imap',
      'OA6MG9tEQGm2hh',
      'OA6MHXh6VqTrRk',
      'd388dad90d4bbd760a152321f2143af7',
      'ea40f60335c427b5527b84dbabcdfffd',
    ],
    [
      'acap',
      'OA9BSXrbuRhWay',
      'OA9BSuZWMSpW8m',
      '6084c6db3fede7352c551284490fd0fc',
      '2f0b3d7c3c2e486600ef710726aa2eae',
    ],
  ])('%s', (service, nonce, cnonce, response, proof) => {
    const server = new DigestMd5Exchange({
      realm: 'elwood.innosoft.com',
      service,
      nonce,
      passwordOf: (user) => (user === 'chris' ? 'secret' : undefined),
      tokenBytesMax: 4_096,
    })
    server.step(EMPTY)
    const token = `charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="${nonce}",nc=00000001,cnonce="${cnonce}",digest-uri="${service}/elwood.innosoft.com",response=${response},qop=auth`
    const last = server.step(Buffer.from(token))
    expect(last).toMatchObject({ kind: 'proved', user: 'chris' })
    expect(last.kind === 'proved' && text(last.token)).toBe(`rspauth=${proof}`)
  })
})

describe('a server of DIGEST-MD5', () => {
  it("begins with the challenge of ZooKeeper's, whatever the first token holds", () => {
    for (const first of [EMPTY, Buffer.from('hello')]) {
      const challenge = exchange().step(first)
      expect(challenge.kind === 'challenge' && text(challenge.token)).toBe(
        'realm="zk-sasl-md5",nonce="OA6MG9tEQGm2hh",charset=utf-8,algorithm=md5-sess',
      )
    }
  })

  it.each([...USERS])('knows %s', (user, password) => {
    const { last, proof } = attempt({ user, password })
    expect(last).toMatchObject({ kind: 'proved', user })
    expect(last.kind === 'proved' && text(last.token)).toBe(proof)
  })

  it.each<[string, Partial<SaslAccount>]>([
    ['a wrong password', { password: 'guess' }],
    ['a user that is not there, with an empty password', { user: 'eve', password: '' }],
    ['another realm', { directives: { realm: '"other"' } }],
    ['no realm', { directives: { realm: null } }],
    ['another nonce', { directives: { nonce: '"other"' } }],
    ['no cnonce', { directives: { cnonce: null } }],
    ['no response', { directives: { response: null } }],
    ['another service', { directives: { 'digest-uri': '"imap/zk-sasl-md5"' } }],
    ['another host', { directives: { 'digest-uri': '"zookeeper/host"' } }],
    ['integrity', { directives: { qop: 'auth-int' } }],
    ['another character set', { directives: { charset: 'UTF-8' } }],
    ['two users', { directives: { username: '"bob",username="bob"' } }],
    ['two users in two cases', { directives: { username: '"bob",USERNAME="bob"' } }],
    ['an open quote', { directives: { foo: '"x' } }],
    ['something behind a quote', { directives: { foo: '"x"y' } }],
    ['too long a token', { directives: { foo: 'x'.repeat(4_096) } }],
  ])('refuses %s', (_, account) => {
    const { last } = attempt({ user: 'bob', password: 'secret', ...account })
    expect(last).toEqual({ kind: 'failed' })
  })

  it.each<[string, Record<string, string | null>]>([
    ['blanks and empty elements', { foo: ' "a \\" , b" ,, ' }],
    ['names in capitals', { username: null, UserName: '"bob"' }],
    ['no count of the nonce', { nc: null }],
    ['no qop', { qop: null }],
    ['a quoted qop', { qop: '"auth"' }],
    ['a maxbuf that is no number', { maxbuf: 'much' }],
  ])('takes %s', (_, directives) => {
    const { last } = attempt({ user: 'bob', password: 'secret', directives })
    expect(last).toMatchObject({ kind: 'proved', user: 'bob' })
  })

  it('lets nobody act for another', () => {
    for (const user of ['bob', 'ann@home']) {
      const { last } = attempt({ user, password: 'secret', authzid: 'super' })
      expect(last).toMatchObject({ kind: 'proved', user })
    }
  })

  it('has one exchange, whether it failed or not', () => {
    for (const password of ['secret', 'guess']) {
      const server = exchange()
      const challenge = server.step(EMPTY)
      if (challenge.kind !== 'challenge') throw new Error('a challenge comes first')
      server.step(saslResponse(challenge.token, { user: 'bob', password }).token)
      const again = saslResponse(challenge.token, { user: 'bob', password: 'secret' }).token
      expect(server.step(again)).toEqual({ kind: 'failed' })
      expect(server.step(EMPTY)).toEqual({ kind: 'failed' })
    }
  })

  it('takes any bytes for what they are', () => {
    const pieces = fc.constantFrom('username', 'nonce', '=', ',', '"', '\\', ' ', 'a', '\0', 'ÿ')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        const server = exchange()
        server.step(EMPTY)
        expect(server.step(Buffer.from(parts.join(''), 'latin1'))).toEqual({ kind: 'failed' })
      }),
    )
  })
})

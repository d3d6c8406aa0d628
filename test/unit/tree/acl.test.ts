import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import { type Acl, OPEN_ACL, Permission } from '../../../server/core/tree/acl.ts'
import { allows, fixAcl, isSuper, maskDigests } from '../../../server/core/tree/acl-check.ts'
import { AclTable } from '../../../server/core/tree/acl-table.ts'

const list = (id: string): Acl => [{ permissions: 31, scheme: 'digest', id }]

describe('the table of lists', () => {
  it('keeps equal lists once, under one number', () => {
    const table = new AclTable()
    const first = table.take(list('a:1'))
    expect(table.take(list('a:1'))).toBe(first)
    expect(table.take(list('a:2'))).not.toBe(first)
    expect(table.get(first)).toEqual(list('a:1'))
  })

  it('knows the open list by its number 0, also a copy of it', () => {
    const table = new AclTable()
    expect(table.take(OPEN_ACL)).toBe(0)
    const copy = OPEN_ACL.map((entry) => ({ ...entry }))
    expect(table.take(copy)).toBe(0)
    expect(table.get(0)).toBe(OPEN_ACL)
  })

  it('keeps a list as long as it is used, and uses its number again', () => {
    const table = new AclTable()
    const id = table.take(list('a:1'))
    table.take(list('a:1'))
    table.release(id)
    expect(table.get(id)).toEqual(list('a:1'))
    table.release(id)
    expect(() => table.get(id)).toThrow(AssertionError)
    expect(table.take(list('b:1'))).toBe(id)
    expect(table.get(id)).toEqual(list('b:1'))
    // The former list is a new one now.
    expect(table.take(list('a:1'))).not.toBe(id)
  })

  it('never loses the open list', () => {
    const table = new AclTable()
    for (let i = 0; i < 3; i += 1) table.release(table.take(OPEN_ACL))
    expect(table.get(0)).toBe(OPEN_ACL)
  })

  it('notices a list that is released once too often', () => {
    const table = new AclTable()
    const id = table.take(list('a:1'))
    table.release(id)
    expect(() => table.release(id)).toThrow(AssertionError)
  })

  it('keeps its own copy', () => {
    const table = new AclTable()
    const entries = [{ permissions: 31, scheme: 'digest', id: 'a:1' }]
    const id = table.take(entries)
    entries.push({ permissions: 31, scheme: 'world', id: 'anyone' })
    expect(table.get(id)).toEqual(list('a:1'))
  })

  it('tells lists apart whose texts run together', () => {
    const table = new AclTable()
    const ids = [
      [{ permissions: 1, scheme: 'a', id: 'b' }],
      [{ permissions: 1, scheme: 'ab', id: '' }],
      [{ permissions: 1, scheme: 'a', id: 'b,1' }],
      [
        { permissions: 1, scheme: 'a', id: 'b' },
        { permissions: 1, scheme: '', id: '' },
      ],
    ].map((acl) => table.take(acl))
    expect(new Set(ids).size).toBe(4)
    expect(new Set(ids.map((id) => table.hashOf(id))).size).toBe(4)
  })

  it('hashes a list alike under any number', () => {
    const [one, other] = [new AclTable(), new AclTable()]
    other.take(list('a:1'))
    const [here, there] = [one.take(list('b:1')), other.take(list('b:1'))]
    expect(there).not.toBe(here)
    expect(other.hashOf(there)).toBe(one.hashOf(here))
    expect(one.hashOf(0)).toBe(other.hashOf(0))
  })
})

describe('an address', () => {
  const may = (range: string, address: string): boolean =>
    allows([{ permissions: 1, scheme: 'ip', id: range }], [{ scheme: 'ip', id: address }], 1)

  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['10.0.0.0/8', '10.255.0.1'],
    ['10.1.2.0/23', '10.1.3.9'],
    ['0.0.0.0/0', '192.168.0.1'],
    ['10.1.2.3', '::ffff:10.1.2.3'],
    ['10.1.2.3/32', '10.1.2.3'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::1', '::1'],
    ['2001:db8::/32', '2001:db8:1::5'],
    ['fe80::1', 'fe80::1%eth0'],
    ['2001:DB8::A', '2001:db8::a'],
    ['::/0', '1::'],
  ])('%s takes in %s', (range, address) => {
    expect(may(range, address)).toBe(true)
  })

  it.each([
    ['10.1.2.3', '10.1.2.4'],
    ['10.0.0.0/8', '11.0.0.0'],
    ['10.1.2.0/23', '10.1.4.0'],
    ['10.0.0.0/8', '::1'],
    ['::/0', '10.0.0.1'],
    ['2001:db8::/33', '2001:db8:8000::'],
    ['10.1.2.3', 'unknown'],
  ])('%s leaves out %s', (range, address) => {
    expect(may(range, address)).toBe(false)
  })

  it.each([
    '',
    '10.1.2',
    '10.1.2.3.4',
    '10.1.2.256',
    '10.1.2.-1',
    '10.1.2.3/33',
    '10.1.2.3/8/8',
    '10.1.2.3/',
    '10.1.2.3/x',
    'a.b.c.d',
    '1:2:3',
    '::1::',
    ':::',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '::/129',
  ])('%j is none', (id) => {
    expect(fixAcl([{ permissions: 1, scheme: 'ip', id }], [])).toBeNull()
  })
})

describe('identities', () => {
  it('count by scheme and id', () => {
    const acl = list('a:1')
    expect(allows(acl, [{ scheme: 'digest', id: 'a:1' }], 1)).toBe(true)
    expect(allows(acl, [{ scheme: 'digest', id: 'a:2' }], 1)).toBe(false)
    expect(allows(acl, [{ scheme: 'x509', id: 'a:1' }], 1)).toBe(false)
    expect(allows(acl, [], 1)).toBe(false)
  })

  it("of sasl's user super own what any user of sasl does, and no more", () => {
    const user = [{ scheme: 'sasl', id: 'super' }]
    expect(allows([{ permissions: 1, scheme: 'sasl', id: 'bob' }], user, 1)).toBe(true)
    expect(allows([{ permissions: 1, scheme: 'sasl', id: 'bob' }], user, 2)).toBe(false)
    expect(allows([{ permissions: 31, scheme: 'digest', id: 'a:1' }], user, 1)).toBe(false)
    expect(
      allows([{ permissions: 1, scheme: 'sasl', id: 'bob' }], [{ scheme: 'sasl', id: 'ann' }], 1),
    ).toBe(false)
    expect(
      allows([{ permissions: 1, scheme: 'sasl', id: 'super' }], [{ scheme: 'sasl', id: 'bob' }], 1),
    ).toBe(false)
  })

  it.each([
    ['bob', true],
    ['', true],
    ['a/b/c', true],
    ['zk/host@REALM', true],
    ['@', true],
    ['a@b@c', false],
    ['a/b/c@R', false],
    ['a@b/c', false],
  ])('of sasl are names of Kerberos: %j', (id, valid) => {
    expect(fixAcl([{ permissions: 1, scheme: 'sasl', id }], []) !== null).toBe(valid)
  })

  it('of the super scheme may do all, whatever their id', () => {
    const boss = [{ scheme: 'super', id: 'whoever' }]
    expect(isSuper(boss)).toBe(true)
    expect(isSuper([{ scheme: 'digest', id: 'super' }])).toBe(false)
    expect(allows([{ permissions: 0, scheme: 'digest', id: 'a:1' }], boss, 31)).toBe(true)
  })

  it('need one bit of those that are asked for', () => {
    const acl = [{ permissions: Permission.admin, scheme: 'world', id: 'anyone' }]
    expect(allows(acl, [], Permission.read | Permission.admin)).toBe(true)
    expect(allows(acl, [], Permission.read | Permission.write)).toBe(false)
  })
})

describe('fixing a list', () => {
  it('gives the open list itself for an equal one, so that most checks are one comparison', () => {
    expect(fixAcl([{ permissions: 31, scheme: 'world', id: 'anyone' }], [])).toBe(OPEN_ACL)
    const twice = [...OPEN_ACL, { permissions: 31, scheme: 'world', id: 'anyone' }]
    expect(fixAcl(twice, [])).toBe(OPEN_ACL)
  })

  it('takes what ZooKeeper takes of digests: empty parts at the end do not count', () => {
    for (const id of ['user:hash', ':hash', 'user:hash:', 'user:hash::']) {
      expect(fixAcl(list(id), []), id).toEqual(list(id))
    }
    for (const id of ['', 'user', 'user:', ':', '::', 'a:b:c', 'a::c']) {
      expect(fixAcl(list(id), []), id).toBeNull()
    }
  })

  it('answers at once to a long id', () => {
    const id = `${':'.repeat(300_000)}x`
    expect(fixAcl(list(id), [])).toBeNull()
  })
})

describe('masking', () => {
  it('hides the hash of digests and nothing else', () => {
    const acl = [...list('ann:secret'), ...OPEN_ACL, { permissions: 1, scheme: 'ip', id: '::1' }]
    expect(maskDigests(acl)).toEqual([...list('ann:x'), ...acl.slice(1)])
  })
})

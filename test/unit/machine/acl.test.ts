import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import * as read from '../../../server/core/machine/read.ts'
import { type Acl, type Identity, OPEN_ACL, Permission } from '../../../server/core/tree/acl.ts'
import { check, create, Driver, remove, SYSTEM, setAcl, setData } from './driver.ts'

const ANN: Identity = { scheme: 'digest', id: 'ann:aaaa' }
const BOB: Identity = { scheme: 'digest', id: 'bob:bbbb' }
const HOME: Identity = { scheme: 'ip', id: '10.1.2.3' }
const SUPER_IDENTITY: Identity = { scheme: 'super', id: '' }

const as = (...identities: Identity[]) => ({ ...SYSTEM, identities })
const world = (permissions: number): Acl => [{ permissions, scheme: 'world', id: 'anyone' }]
const grant = (identity: Identity, permissions: number): Acl => [{ ...identity, permissions }]

/** A driver with /a under that ACL, and /a/b open below it. */
function scene(acl: Acl): Driver {
  const driver = new Driver()
  driver.create('/a')
  driver.create('/a/b')
  driver.ok(setAcl('/a', acl), as(ANN))
  return driver
}

describe('each permission', () => {
  const { read: r, write: w, create: c, delete: d, admin: a } = Permission
  const operations = [
    ['create', create('/a/new'), c],
    ['delete', remove('/a/b'), d],
    ['setData', setData('/a', 'x'), w],
    ['setAcl', setAcl('/a', OPEN_ACL), a],
    ['check', check('/a'), r],
  ] as const

  it.each(operations)('of %s is asked for, and no other', (_, operation, needed) => {
    for (const permission of [r, w, c, d, a]) {
      const expected = permission === needed ? ErrorCode.ok : ErrorCode.noAuth
      expect(scene(world(permission)).error(operation)).toBe(expected)
      expect(scene(grant(ANN, permission)).error(operation, as(ANN))).toBe(expected)
    }
    expect(scene(grant(ANN, Permission.all)).error(operation, as(BOB))).toBe(ErrorCode.noAuth)
    expect(scene(grant(ANN, Permission.all)).error(operation, as(BOB, ANN))).toBe(ErrorCode.ok)
  })

  it.each(operations)('of %s is the super identity’s', (_, operation) => {
    expect(scene(grant(ANN, r)).error(operation, as(SUPER_IDENTITY))).toBe(ErrorCode.ok)
  })

  it('of a delete is that of the parent, not of the znode', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.create('/a/b', { acl: grant(ANN, Permission.all) })
    expect(driver.error(remove('/a/b'), as(BOB))).toBe(ErrorCode.ok)
  })
})

describe('auth', () => {
  it('stands for all authenticated identities of the caller', () => {
    const driver = new Driver()
    const auth: Acl = [{ permissions: Permission.read, scheme: 'auth', id: '' }]
    driver.create('/a', { acl: auth }, as(HOME, ANN, BOB))
    expect(driver.machine.tree.acl('/a')).toEqual([
      { ...ANN, permissions: Permission.read },
      { ...BOB, permissions: Permission.read },
    ])
    driver.create('/b')
    driver.ok(setAcl('/b', auth), as(ANN))
    expect(driver.machine.tree.acl('/b')).toEqual(grant(ANN, Permission.read))
  })

  it('is no ACL for one whom nothing but an address vouches for', () => {
    const driver = new Driver()
    const auth: Acl = [...OPEN_ACL, { permissions: Permission.all, scheme: 'auth', id: 'x' }]
    for (const sender of [as(), as(HOME), as(SUPER_IDENTITY)]) {
      expect(driver.error(create('/a', { acl: auth }), sender)).toBe(ErrorCode.invalidAcl)
    }
  })
})

describe('a list', () => {
  it.each<[string, Acl]>([
    ['that is empty', []],
    ['of an unknown scheme', [{ permissions: 31, scheme: 'kerberos', id: 'a' }]],
    ['of the super scheme', [{ permissions: 31, scheme: 'super', id: '' }]],
    ['of a world but anyone', [{ permissions: 31, scheme: 'world', id: 'someone' }]],
    ['of a digest without hash', [{ permissions: 31, scheme: 'digest', id: 'ann' }]],
    ['of a digest with an empty hash', [{ permissions: 31, scheme: 'digest', id: 'ann:' }]],
    ['of a digest in three parts', [{ permissions: 31, scheme: 'digest', id: 'a:b:c' }]],
    ['of no address', [{ permissions: 31, scheme: 'ip', id: 'localhost' }]],
    ['with one wrong entry', [...OPEN_ACL, { permissions: 31, scheme: 'ip', id: '1.2.3' }]],
  ])('%s is refused', (_, acl) => {
    const driver = new Driver()
    expect(driver.error(create('/a', { acl }))).toBe(ErrorCode.invalidAcl)
    expect(driver.error(setAcl('/', acl))).toBe(ErrorCode.invalidAcl)
  })

  it('is stored without its duplicates', () => {
    const driver = new Driver()
    const acl = [...grant(ANN, 1), ...grant(ANN, 2), ...grant(ANN, 1), ...OPEN_ACL, ...OPEN_ACL]
    driver.create('/a', { acl })
    const stored = [...grant(ANN, 1), ...grant(ANN, 2), ...OPEN_ACL]
    expect(driver.machine.tree.acl('/a')).toEqual(stored)
  })
})

describe('reads', () => {
  it('need READ; getAcl READ or ADMIN', () => {
    const { machine } = scene(grant(ANN, Permission.read))
    for (const answer of [read.exists, read.getData, read.getChildren, read.getAcl]) {
      expect(typeof answer(machine, '/a', [ANN])).toBe('object')
      expect(answer(machine, '/a', [BOB])).toBe(ErrorCode.noAuth)
      expect(answer(machine, '/none', [BOB])).toBe(ErrorCode.noNode)
      expect(answer(machine, '/a/', [BOB])).toBe(ErrorCode.noNode)
      expect(typeof answer(machine, '', [BOB])).toBe('object')
    }
    expect(read.exists(machine, '/a\0', [BOB])).toBe(ErrorCode.badArguments)
    expect(read.getAllChildrenNumber(machine, '/a', [BOB])).toBe(ErrorCode.noAuth)
    const closed = scene(grant(ANN, Permission.admin)).machine
    expect(read.getAcl(closed, '/a', [ANN])).toMatchObject({ acl: grant(ANN, 16) })
    expect(read.getData(closed, '/a', [ANN])).toBe(ErrorCode.noAuth)
  })

  it('hide the hashes of passwords from those without ADMIN', () => {
    const acl = [...grant(ANN, Permission.admin), ...grant(HOME, 1), ...world(Permission.read)]
    const { machine } = scene(acl)
    expect(read.getAcl(machine, '/a', [ANN])).toMatchObject({ acl })
    expect(read.getAcl(machine, '/a', [BOB])).toMatchObject({
      acl: [{ ...ANN, id: 'ann:x', permissions: 16 }, ...acl.slice(1)],
    })
  })

  it('answer what is there', () => {
    const driver = scene(OPEN_ACL)
    driver.ok(setData('/a', 'data'))
    const { machine } = driver
    const stat = driver.stat('/a')
    expect(read.exists(machine, '/a', [])).toEqual(stat)
    const data = new TextEncoder().encode('data')
    expect(read.getData(machine, '/a', [])).toEqual({ data, stat })
    expect(read.getChildren(machine, '/a', [])).toEqual({ children: ['b'], stat })
    expect(read.getChildren(machine, '/a/b', [])).toMatchObject({ children: [] })
  })

  it('count descendants, those of the root as ZooKeeper does', () => {
    const driver = new Driver()
    // 3.9.5 answers 3 on a fresh server.
    expect(read.getAllChildrenNumber(driver.machine, '/', [])).toEqual({ count: 3 })
    driver.create('/a')
    driver.create('/a/b')
    driver.create('/a/b/c')
    driver.create('/ab')
    expect(read.getAllChildrenNumber(driver.machine, '/a', [])).toEqual({ count: 2 })
    expect(read.getAllChildrenNumber(driver.machine, '/', [])).toEqual({ count: 7 })
    expect(read.getAllChildrenNumber(driver.machine, '/ab', [])).toEqual({ count: 0 })
  })

  it('list the ephemerals of the session under a prefix', () => {
    const driver = new Driver()
    const [owner, other] = [driver.open(), driver.open()]
    for (const path of ['/a1', '/a2', '/b']) driver.create(path, { mode: 'ephemeral' }, owner)
    driver.create('/a3', { mode: 'ephemeral' }, other)
    const list = (prefix: string) =>
      read.getEphemerals(driver.machine, owner.session, prefix).sort()
    expect(list('/a')).toEqual(['/a1', '/a2'])
    expect(list('')).toEqual(['/a1', '/a2', '/b'])
    expect(list('/c')).toEqual([])
  })
})

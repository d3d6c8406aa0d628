import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import { OPEN_ACL, Permission } from '../../../server/core/tree/acl.ts'
import {
  bytes,
  check,
  create,
  Driver,
  multi,
  remove,
  requestOf,
  START_MS,
  SUPER,
  setAcl,
  setData,
} from './driver.ts'

const READ_ONLY = [{ permissions: Permission.read, scheme: 'world', id: 'anyone' }]

describe('a fresh machine', () => {
  it('has the znodes that ZooKeeper has, with their stats', () => {
    const driver = new Driver()
    const zeros = {
      czxid: 0,
      mzxid: 0,
      ctimeMs: 0,
      mtimeMs: 0,
      version: 0,
      aversion: 0,
      ephemeralOwner: 0,
      dataLength: 0,
      pzxid: 0,
    }
    // Seen on the wire of 3.9.5.
    expect(driver.stat('/')).toEqual({ ...zeros, cversion: -1, numChildren: 1 })
    expect(driver.stat('/zookeeper')).toEqual({ ...zeros, cversion: -2, numChildren: 2 })
    expect(driver.stat('/zookeeper/quota')).toEqual({ ...zeros, cversion: 0, numChildren: 0 })
    const config = { ...zeros, aversion: -1, cversion: 0, numChildren: 0 }
    expect(driver.stat('/zookeeper/config')).toEqual(config)
    expect(driver.machine.tree.acl('/zookeeper/config')).toEqual(READ_ONLY)
  })

  it('lets only the super identity write the configuration', () => {
    const driver = new Driver()
    expect(driver.error(setData('/zookeeper/config', 'mine'))).toBe(ErrorCode.noAuth)
    expect(driver.error(setAcl('/zookeeper/config', OPEN_ACL))).toBe(ErrorCode.noAuth)
    expect(driver.error(setData('/zookeeper/config', 'theirs'), SUPER)).toBe(ErrorCode.ok)
  })
})

describe('zxids and times', () => {
  it('count every request, refused ones too', () => {
    const driver = new Driver()
    expect(driver.apply(create('/a')).zxid).toBe(1)
    expect(driver.apply(create('/a'))).toMatchObject({ zxid: 2, error: ErrorCode.nodeExists })
    expect(driver.apply({ kind: 'error', code: ErrorCode.badArguments })).toMatchObject({
      zxid: 3,
      error: ErrorCode.badArguments,
      result: { kind: 'none' },
    })
    const two = [requestOf(create('/b')), requestOf(create('/c'))]
    expect(driver.applyAll(two).map(({ zxid }) => zxid)).toEqual([4, 5])
    expect(driver.machine.lastZxid).toBe(5)
    expect(driver.machine.appliedIndex).toBe(4)
  })

  it('never run backwards with the clock of a new leader', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.timeMs -= 60_000
    driver.create('/b')
    expect(driver.stat('/b').ctimeMs).toBe(driver.stat('/a').ctimeMs)
    expect(driver.machine.lastTimeMs).toBe(START_MS + 1000)
  })

  it('stand still over entries without requests', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.machine.skip(2)
    expect(driver.machine).toMatchObject({ appliedIndex: 2, lastZxid: 1 })
  })

  it('take each entry once and in order', () => {
    const machine = new StateMachine()
    const batch = { timeMs: 1, requests: [requestOf(create('/a'))] }
    machine.apply({ index: 1, term: 1 }, batch)
    for (const index of [0, 1, 3]) {
      expect(() => machine.apply({ index, term: 1 }, batch)).toThrow(AssertionError)
      expect(() => machine.skip(index)).toThrow(AssertionError)
    }
    expect(machine.lastZxid).toBe(1)
  })
})

describe('create', () => {
  it('gives path and stat, and moves the parent', () => {
    const driver = new Driver()
    driver.create('/p')
    const result = driver.apply(create('/p/a', { data: bytes('abc'), withStat: true }))
    const stat = {
      czxid: 2,
      mzxid: 2,
      ctimeMs: START_MS + 2000,
      mtimeMs: START_MS + 2000,
      version: 0,
      cversion: 0,
      aversion: 0,
      ephemeralOwner: 0,
      dataLength: 3,
      numChildren: 0,
      pzxid: 2,
    }
    expect(result.result).toEqual({ kind: 'create', path: '/p/a', stat })
    expect(driver.stat('/p/a')).toEqual(stat)
    expect(driver.stat('/p')).toEqual({
      ...stat,
      czxid: 1,
      mzxid: 1,
      ctimeMs: START_MS + 1000,
      mtimeMs: START_MS + 1000,
      cversion: 1,
      dataLength: 0,
      numChildren: 1,
      pzxid: 2,
    })
    expect(driver.ok(create('/p/b'))).toEqual({ kind: 'create', path: '/p/b', stat: null })
  })

  it('triggers the znode, then its parent', () => {
    const driver = new Driver()
    driver.create('/p')
    const acl = [...READ_ONLY]
    expect(driver.apply(create('/p/a', { acl })).triggers).toEqual([
      { event: 'created', path: '/p/a', zxid: 2, acl },
      { event: 'childrenChanged', path: '/p', zxid: 2, acl: OPEN_ACL },
    ])
  })

  it('keeps null apart from empty', () => {
    const driver = new Driver()
    driver.create('/null', { data: null })
    driver.create('/empty')
    expect([driver.data('/null'), driver.data('/empty')]).toEqual([null, ''])
    expect(driver.stat('/null').dataLength).toBe(0)
  })

  it('copies the data, which is a view into a frame', () => {
    const driver = new Driver()
    const frame = bytes('first')
    driver.create('/a', { data: frame })
    frame.fill(0)
    expect(driver.data('/a')).toBe('first')
  })

  it.each([
    ['container', 0],
    ['ttl', 10_000],
  ] as const)('of a %s shows no owner and may have children', (mode, ttlMs) => {
    const driver = new Driver()
    driver.create('/a', { mode, ttlMs })
    driver.create('/a/b')
    expect(driver.stat('/a')).toMatchObject({ ephemeralOwner: 0, numChildren: 1 })
    expect(driver.machine.tree.ttlMs('/a')).toBe(ttlMs)
  })

  it.each([0, -1, 2 ** 40, 1.5, Number.NaN])('refuses a ttl of %d at apply', (ttlMs) => {
    const driver = new Driver()
    expect(driver.error(create('/a', { mode: 'ttl', ttlMs }))).toBe(ErrorCode.badArguments)
    expect(driver.machine.tree.has('/a')).toBe(false)
  })

  it.each([1, 2 ** 40 - 1])('takes a ttl of %d', (ttlMs) => {
    const driver = new Driver()
    driver.create('/a', { mode: 'ttl', ttlMs })
    expect(driver.machine.tree.ttlMs('/a')).toBe(ttlMs)
  })

  it('forgets a ttl where the mode has none', () => {
    const driver = new Driver()
    driver.create('/a', { ttlMs: 5 })
    expect(driver.machine.tree.ttlMs('/a')).toBe(0)
  })
})

describe('delete', () => {
  it('removes the znode and moves the parent', () => {
    const driver = new Driver()
    driver.create('/p')
    driver.create('/p/a')
    const before = driver.stat('/p')
    const { result, triggers } = driver.apply(remove('/p/a'))
    expect(result).toEqual({ kind: 'delete' })
    expect(driver.machine.tree.has('/p/a')).toBe(false)
    expect(driver.stat('/p')).toEqual({ ...before, cversion: 2, numChildren: 0, pzxid: 3 })
    expect(triggers).toEqual([
      { event: 'deleted', path: '/p/a', zxid: 3, acl: OPEN_ACL },
      { event: 'childrenChanged', path: '/p', zxid: 3, acl: OPEN_ACL },
    ])
  })

  it('compares the version unless it is -1', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.ok(setData('/a', '1'))
    expect(driver.error(remove('/a', 0))).toBe(ErrorCode.badVersion)
    expect(driver.error(remove('/a', 1))).toBe(ErrorCode.ok)
  })

  it('starts the counters anew when the path is created again', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.ok(setData('/a', '1'))
    driver.ok(setAcl('/a', OPEN_ACL))
    driver.ok(remove('/a'))
    driver.create('/a')
    expect(driver.stat('/a')).toMatchObject({ version: 0, aversion: 0, czxid: 5, mzxid: 5 })
  })

  it.each(['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'])('spares %s', (path) => {
    expect(new Driver().error(remove(path), SUPER)).toBe(ErrorCode.badArguments)
  })
})

describe('setData', () => {
  it('moves mzxid, mtime, version and dataLength alone', () => {
    const driver = new Driver()
    driver.create('/a', { data: bytes('before') })
    const before = driver.stat('/a')
    const { result, triggers } = driver.apply(setData('/a', 'now'))
    const stat = { ...before, mzxid: 2, mtimeMs: START_MS + 2000, version: 1, dataLength: 3 }
    expect(result).toEqual({ kind: 'setData', stat })
    expect(driver.data('/a')).toBe('now')
    expect(triggers).toEqual([{ event: 'dataChanged', path: '/a', zxid: 2, acl: OPEN_ACL }])
  })

  it('compares the version unless it is -1', () => {
    const driver = new Driver()
    driver.create('/a')
    expect(driver.error(setData('/a', 'x', 1))).toBe(ErrorCode.badVersion)
    expect(driver.error(setData('/a', 'x', 0))).toBe(ErrorCode.ok)
    expect(driver.error(setData('/a', 'y', 0))).toBe(ErrorCode.badVersion)
    expect(driver.data('/a')).toBe('x')
  })

  it('writes the root, too', () => {
    const driver = new Driver()
    driver.ok(setData('/', 'root'))
    expect(driver.stat('/')).toMatchObject({ version: 1, mzxid: 1, dataLength: 4 })
  })
})

describe('setAcl', () => {
  it('moves aversion alone, and triggers nothing', () => {
    const driver = new Driver()
    driver.create('/a')
    const before = driver.stat('/a')
    const { result, triggers } = driver.apply(setAcl('/a', READ_ONLY))
    expect(result).toEqual({ kind: 'setAcl', stat: { ...before, aversion: 1 } })
    expect(driver.machine.tree.acl('/a')).toEqual(READ_ONLY)
    expect(triggers).toEqual([])
  })

  it('compares the version with aversion', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.ok(setData('/a', 'version 1'))
    expect(driver.error(setAcl('/a', OPEN_ACL, 1))).toBe(ErrorCode.badVersion)
    expect(driver.error(setAcl('/a', OPEN_ACL, 0))).toBe(ErrorCode.ok)
    expect(driver.stat('/a').aversion).toBe(1)
  })
})

describe('check', () => {
  it('compares the version and changes nothing', () => {
    const driver = new Driver()
    driver.create('/a')
    const before = driver.stat('/a')
    expect(driver.apply(check('/a', 0))).toMatchObject({ error: 0, result: { kind: 'check' } })
    expect(driver.error(check('/a', -1))).toBe(ErrorCode.ok)
    expect(driver.error(check('/a', 1))).toBe(ErrorCode.badVersion)
    expect(driver.error(check('/b', -1))).toBe(ErrorCode.noNode)
    expect(driver.stat('/a')).toEqual(before)
  })
})

describe('deleteContainer', () => {
  const collect = { kind: 'deleteContainer', path: '/a' } as const

  it('takes a container that is empty again, not one that was never used', () => {
    const driver = new Driver()
    driver.create('/a', { mode: 'container' })
    expect(driver.error(collect)).toBe(ErrorCode.badVersion)
    driver.create('/a/b')
    expect(driver.error(collect)).toBe(ErrorCode.notEmpty)
    driver.ok(remove('/a/b'))
    expect(driver.apply(collect)).toMatchObject({ error: 0, result: { kind: 'delete' } })
    expect(driver.error(collect)).toBe(ErrorCode.noNode)
  })

  it('takes a ttl znode once its ttl has passed since the last write', () => {
    const driver = new Driver()
    driver.create('/a', { mode: 'ttl', ttlMs: 2000 })
    driver.ok(setData('/a', 'alive'))
    expect(driver.error(collect)).toBe(ErrorCode.badVersion)
    expect(driver.error(collect)).toBe(ErrorCode.badVersion)
    expect(driver.error(collect)).toBe(ErrorCode.ok)
    expect(driver.machine.tree.has('/a')).toBe(false)
  })

  it('takes nothing else', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.create('/a/b')
    driver.ok(remove('/a/b'))
    expect(driver.error(collect)).toBe(ErrorCode.badVersion)
    expect(driver.error({ kind: 'deleteContainer', path: '/' })).toBe(ErrorCode.notEmpty)
    expect(driver.error({ kind: 'deleteContainer', path: 'a\0' })).toBe(ErrorCode.noNode)
  })

  it('offers the candidates to the leader', () => {
    const driver = new Driver()
    const { tree } = driver.machine
    driver.create('/c', { mode: 'container' })
    driver.create('/t', { mode: 'ttl', ttlMs: 1 })
    driver.create('/p')
    expect([...tree.containers()]).toEqual(['/c'])
    expect([...tree.ttls()]).toEqual(['/t'])
    driver.ok(remove('/c'))
    driver.ok(remove('/t'))
    expect([...tree.containers(), ...tree.ttls()]).toEqual([])
  })
})

describe('the cluster version', () => {
  it('only rises', () => {
    const driver = new Driver()
    driver.ok({ kind: 'setClusterVersion', version: 2 })
    driver.ok({ kind: 'setClusterVersion', version: 1 })
    expect(driver.machine.clusterVersion).toBe(2)
  })
})

describe('versions', () => {
  it('wrap at 2^31 as a Java int', () => {
    const driver = new Driver()
    driver.machine.tree.restore({
      path: '/a',
      data: null,
      acl: OPEN_ACL,
      mode: 0,
      ttlMs: 0,
      owner: 0,
      czxid: 0,
      mzxid: 0,
      pzxid: 0,
      ctimeMs: 0,
      mtimeMs: 0,
      version: 2 ** 31 - 1,
      aversion: 2 ** 31 - 1,
      creations: 0,
    })
    driver.ok(setData('/a', 'x'))
    driver.ok(setAcl('/a', OPEN_ACL))
    const wrapped = { version: -(2 ** 31), aversion: -(2 ** 31) }
    expect(driver.stat('/a')).toMatchObject(wrapped)
    expect(driver.error(multi(check('/a', -(2 ** 31))))).toBe(ErrorCode.ok)
  })
})

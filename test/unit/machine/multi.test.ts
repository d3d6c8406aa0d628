import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Operation } from '../../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { check, create, Driver, multi, remove, setAcl, setData } from './driver.ts'

/** The codes of a failed multi; null when it succeeded. */
function codes(driver: Driver, ...operations: Operation[]): number[] | null {
  const { error, result } = driver.apply(multi(...operations))
  // The reply header of a failed multi says ok: the codes are in the results (B4).
  expect(error).toBe(ErrorCode.ok)
  if (result.kind !== 'multi') throw new Error('a multi was answered')
  const errors = result.results.filter((item) => item.kind === 'error')
  expect(errors.length === 0 || errors.length === operations.length).toBe(true)
  return errors.length === 0 ? null : errors.map(({ code }) => code)
}

describe('a multi that succeeds', () => {
  it('has one zxid and one time for all', () => {
    const driver = new Driver()
    const operations = [
      create('/a', { withStat: true }),
      create('/a/b'),
      setData('/a', 'x', 0),
      check('/a', 1),
      remove('/a/b'),
    ]
    const { zxid, result } = driver.apply(multi(...operations))
    if (result.kind !== 'multi') throw new Error('a multi was answered')
    expect(result.results.map(({ kind }) => kind)).toEqual([
      'create',
      'create',
      'setData',
      'check',
      'delete',
    ])
    expect(driver.stat('/a')).toEqual({
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctimeMs: driver.timeMs,
      mtimeMs: driver.timeMs,
      version: 1,
      cversion: 2,
      aversion: 0,
      ephemeralOwner: 0,
      dataLength: 1,
      numChildren: 0,
    })
    expect(driver.machine.lastZxid).toBe(zxid)
  })

  it('gives each result as of its turn', () => {
    const driver = new Driver()
    const { result } = driver.apply(
      multi(create('/a', { withStat: true }), create('/a/b'), setData('/a', 'x')),
    )
    expect(result).toMatchObject({
      results: [
        { kind: 'create', path: '/a', stat: { numChildren: 0, version: 0, dataLength: 0 } },
        { kind: 'create', path: '/a/b', stat: null },
        { kind: 'setData', stat: { numChildren: 1, version: 1, dataLength: 1 } },
      ],
    })
  })

  it('triggers each operation in its order', () => {
    const driver = new Driver()
    const { triggers } = driver.apply(multi(create('/a'), setData('/a', 'x'), remove('/a')))
    expect(triggers.map(({ event, path }) => `${event} ${path}`)).toEqual([
      'created /a',
      'childrenChanged /',
      'dataChanged /a',
      'deleted /a',
      'childrenChanged /',
    ])
  })

  it('may replace a znode', () => {
    const driver = new Driver()
    driver.create('/a')
    driver.ok(setData('/a', 'old'))
    expect(codes(driver, remove('/a', 1), create('/a'), check('/a', 0))).toBeNull()
    expect(driver.data('/a')).toBe('')
  })

  it('may be empty', () => {
    expect(new Driver().apply(multi())).toMatchObject({
      error: ErrorCode.ok,
      zxid: 1,
      result: { kind: 'multi', results: [] },
    })
  })
})

describe('a multi that fails', () => {
  const { ok, runtimeInconsistency } = ErrorCode

  it('says 0 before the failing operation, its code, then -2', () => {
    const driver = new Driver()
    driver.create('/a')
    const given = codes(
      driver,
      create('/b'),
      check('/a', 0),
      create('/a'),
      create('/c'),
      remove('/'),
    )
    const then = [runtimeInconsistency, runtimeInconsistency]
    expect(given).toEqual([ok, ok, ErrorCode.nodeExists, ...then])
  })

  it('takes a zxid and triggers nothing', () => {
    const driver = new Driver()
    const result = driver.apply(multi(create('/b'), check('/none')))
    expect(result).toMatchObject({ zxid: 1, triggers: [], endedSessions: [] })
    expect(driver.machine.lastZxid).toBe(1)
  })

  it('leaves nothing behind, whatever it had done', () => {
    const driver = new Driver()
    driver.create('/p')
    driver.create('/p/old', { data: new Uint8Array(5000).fill(7), mode: 'ttl', ttlMs: 77 })
    driver.create('/p/gone')
    driver.ok(setAcl('/p/gone', [{ permissions: 31, scheme: 'ip', id: '::1' }, ...OPEN_ACL]))
    driver.create('/q')
    const { tree } = driver.machine
    const look = () => ({
      digest: tree.digest,
      size: tree.approximateDataSize,
      nodes: tree.nodeCount,
      ttls: [...tree.ttls()],
      containers: [...tree.containers()],
      children: tree.children('/p').sort(),
      stats: ['/', '/p', '/p/old', '/p/gone', '/q'].map((path) => driver.stat(path)),
      data: driver.data('/p/old'),
      acl: tree.acl('/p/gone'),
    })
    const before = look()
    const failed = codes(
      driver,
      setData('/p/old', 'short'),
      setData('/p/old', null),
      remove('/p/gone'),
      create('/p/gone', { mode: 'container' }),
      create('/p/gone/child'),
      remove('/p/old'),
      create('/p/new', { sequential: true }),
      remove('/q'),
      create('/q'),
      setData('/q', 'twice'),
      remove('/none'),
    )
    expect(failed?.[10]).toBe(ErrorCode.noNode)
    expect(look()).toEqual(before)
    // What is free again is found again: the next writes meet no leftovers.
    for (const name of ['a', 'b', 'c']) driver.create(`/p/${name}`, { data: new Uint8Array(20) })
    expect(driver.data('/p/old')).toBe(before.data)
  })

  it.each([
    ['setAcl', setAcl('/a', OPEN_ACL)],
    ['a multi', multi()],
    ['deleteContainer', { kind: 'deleteContainer', path: '/a' }],
    ['createSession', { kind: 'createSession', timeoutMs: 1, password: new Uint8Array(16) }],
    ['closeSession', { kind: 'closeSession' }],
    ['setClusterVersion', { kind: 'setClusterVersion', version: 9 }],
  ] as const)('is one that has %s in it', (_, operation) => {
    const driver = new Driver()
    driver.create('/a', { mode: 'container' })
    expect(codes(driver, check('/a'), operation)).toEqual([ok, ErrorCode.badArguments])
    expect(driver.machine.sessions.count).toBe(0)
    expect(driver.machine.clusterVersion).toBe(0)
  })

  it('keeps the code of an operation that was refused on its way', () => {
    const refused: Operation = { kind: 'error', code: ErrorCode.marshallingError }
    const given = codes(new Driver(), create('/a'), refused, create('/b'))
    expect(given).toEqual([ok, ErrorCode.marshallingError, runtimeInconsistency])
  })
})

describe('later operations', () => {
  it.each<[string, Operation[], number]>([
    ['see a znode created', [create('/x'), create('/x')], ErrorCode.nodeExists],
    ['see a znode deleted', [remove('/a'), setData('/a', 'x')], ErrorCode.noNode],
    ['see a new version', [setData('/a', 'x'), check('/a', 0)], ErrorCode.badVersion],
    ['see a new child', [create('/a/b'), remove('/a')], ErrorCode.notEmpty],
    ['see a parent gone', [remove('/a'), create('/a/b')], ErrorCode.noNode],
  ])('%s', (_, operations, code) => {
    const driver = new Driver()
    driver.create('/a')
    expect(codes(driver, ...operations)).toEqual([ErrorCode.ok, code])
  })
})

import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { create, Driver, multi, remove } from './driver.ts'

const next = (driver: Driver, path = '/p/s-'): string => driver.create(path, { sequential: true })

/** A driver with a /p that looks as if so many children had been created below it. */
function driverAfter(creations: number): Driver {
  const driver = new Driver()
  driver.create('/p')
  const znode = {
    path: '/p',
    data: null,
    acl: OPEN_ACL,
    mode: 0,
    ttlMs: 0,
    owner: 0,
    czxid: 1,
    mzxid: 1,
    pzxid: 1,
    ctimeMs: 0,
    mtimeMs: 0,
    version: 0,
    aversion: 0,
    creations,
  } as const
  driver.machine.tree.restore(znode)
  return driver
}

describe('sequence numbers', () => {
  it('count what was created in the parent, of any kind; deletes do not count', () => {
    const driver = new Driver()
    driver.create('/p')
    expect(next(driver)).toBe('/p/s-0000000000')
    driver.create('/p/b')
    driver.ok(remove('/p/b'))
    // The suffix and cversion that 3.9.5 gives for these very requests.
    expect(next(driver, '/p/a')).toBe('/p/a0000000002')
    expect(driver.stat('/p')).toMatchObject({ cversion: 4, numChildren: 2 })
    driver.ok(remove('/p/s-0000000000'))
    driver.ok(remove('/p/a0000000002'))
    expect(driver.stat('/p')).toMatchObject({ cversion: 6, numChildren: 0 })
    expect(next(driver)).toBe('/p/s-0000000003')
  })

  it('are not used up by creates that fail', () => {
    const driver = new Driver()
    driver.create('/p')
    expect(driver.error(create('/p/\u0001', { sequential: true }))).toBe(ErrorCode.badArguments)
    driver.apply(multi(create('/p/x', { sequential: true }), remove('/none')))
    expect(next(driver)).toBe('/p/s-0000000000')
  })

  it('start at 0 in a parent that is created again', () => {
    const driver = new Driver()
    driver.create('/p')
    driver.ok(remove(next(driver)))
    driver.ok(remove('/p'))
    driver.create('/p')
    expect(next(driver)).toBe('/p/s-0000000000')
  })

  it('start at 0 in the root, whose visible cversion is -1', () => {
    const driver = new Driver()
    expect(next(driver, '/s')).toBe('/s0000000000')
    expect(driver.stat('/').cversion).toBe(0)
  })

  it('may be the whole name', () => {
    const driver = new Driver()
    driver.create('/p')
    expect(next(driver, '/p/')).toBe('/p/0000000000')
    expect(next(driver, '/')).toBe('/0000000001')
  })

  it('may meet a znode of that name, which is an error, as in ZooKeeper', () => {
    const driver = new Driver()
    driver.create('/p')
    driver.create('/p/s-0000000001')
    expect(driver.error(create('/p/s-', { sequential: true }))).toBe(ErrorCode.nodeExists)
  })

  it('are told to the later operations of a multi', () => {
    const driver = new Driver()
    driver.create('/p')
    const two = multi(create('/p/a', { sequential: true }), create('/p/b', { sequential: true }))
    expect(driver.ok(two)).toMatchObject({
      results: [{ path: '/p/a0000000000' }, { path: '/p/b0000000001' }],
    })
  })

  it.each([
    [9, '0000000009'],
    [2_147_483_647, '2147483647'],
    [-2_147_483_648, '-2147483648'],
    [-12, '-000000012'],
  ])('of %d are written as Java formats %%010d', (creations, suffix) => {
    expect(next(driverAfter(creations))).toBe(`/p/s-${suffix}`)
  })

  it('go on below zero after 2^31-1', () => {
    const driver = driverAfter(2_147_483_647)
    const names = [next(driver), next(driver), next(driver)]
    expect(names).toEqual(['/p/s-2147483647', '/p/s--2147483648', '/p/s--2147483647'])
    // 2 * creations - numChildren, in 32 bits.
    expect(driver.stat('/p').cversion).toBe((2 * (-(2 ** 31) + 2) - 3) | 0)
  })
})

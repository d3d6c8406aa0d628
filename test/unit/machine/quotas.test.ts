import { describe, expect, it } from 'vitest'
import { SINCE_VERSION } from '../../../server/core/machine/cluster-version.ts'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Operation } from '../../../server/core/machine/operation.ts'
import { formatQuota, parseQuota } from '../../../server/core/tree/quota.ts'
import { bytes, create, Driver, multi, remove, requestOf, setData } from './driver.ts'

const LIMITS = '/zookeeper/quota/q/zookeeper_limits'
const STATS = '/zookeeper/quota/q/zookeeper_stats'

function counting(): Driver {
  const driver = new Driver()
  driver.ok({ kind: 'setClusterVersion', version: SINCE_VERSION.quotas })
  return driver
}

/** As zkCli's setquota does it. */
function setQuota(driver: Driver, limits: string): void {
  if (!driver.machine.tree.has('/q')) driver.create('/q')
  driver.create('/zookeeper/quota/q')
  driver.create(LIMITS, { data: bytes(limits) })
  driver.create(STATS, { data: bytes('count=0,bytes=0') })
}

/** One request of a leader that enforces quotas. */
function enforced(driver: Driver, operation: Operation) {
  const entry = { index: driver.machine.appliedIndex + 1, term: driver.term }
  const batch = { timeMs: driver.timeMs, requests: [requestOf(operation)] }
  const [result] = driver.machine.apply(entry, { ...batch, enforcesQuotas: true })
  if (result === undefined) throw new Error('a request has a result')
  return result
}

describe('the numbers of a quota', () => {
  it.each([
    ['count=1,bytes=2', 'count=1,bytes=2'],
    ['count=1,bytes=2=;byteHardLimit=3;countHardLimit=4', undefined],
    ['countHardLimit=4;byteHardLimit=3', 'count=-1,bytes=-1=;byteHardLimit=3;countHardLimit=4'],
    ['bytes=2', 'count=-1,bytes=2'],
    ['', 'count=-1,bytes=-1'],
    ['count==7', 'count=-1,bytes=-1'],
    ['count=1,bytes=2;other=9,', 'count=1,bytes=2=;other=9'],
  ])('%j are written as StatsTrack writes them', (text, written = text) => {
    const numbers = parseQuota(text)
    expect(numbers === null ? null : formatQuota(numbers)).toBe(written)
  })

  it.each(['garbage', 'count=', 'count=x', ',count=1', 'count=1.5'])('%j are none', (text) => {
    expect(parseQuota(text)).toBeNull()
  })
})

describe('the use of a subtree', () => {
  it('is counted when the quota is set, and kept from then on', () => {
    const driver = counting()
    driver.create('/q', { data: bytes('12345') })
    driver.create('/q/a', { data: bytes('123') })
    driver.create('/q/a/b', { data: null })
    setQuota(driver, 'count=9,bytes=-1')
    expect(driver.data(STATS)).toBe('count=3,bytes=8')
    driver.create('/q/c', { data: bytes('12') })
    expect(driver.data(STATS)).toBe('count=4,bytes=10')
    driver.ok(setData('/q/c', '1234567'))
    driver.ok(setData('/q/a', null))
    expect(driver.data(STATS)).toBe('count=4,bytes=12')
    driver.ok(remove('/q/c'))
    expect(driver.data(STATS)).toBe('count=3,bytes=5')
    driver.create('/other', { data: bytes('1') })
    expect(driver.data(STATS)).toBe('count=3,bytes=5')
  })

  it('changes no version and no time of the znode, and fires no watch', () => {
    const driver = counting()
    setQuota(driver, 'count=9,bytes=-1')
    const before = driver.stat(STATS)
    const { triggers } = driver.apply(create('/q/a', { data: bytes('x') }))
    expect(triggers.map(({ path }) => path)).toEqual(['/q/a', '/q'])
    expect(driver.stat(STATS)).toEqual({ ...before, dataLength: 15 })
  })

  it('is lost with the ephemerals of a session that ends', () => {
    const driver = counting()
    setQuota(driver, 'count=9,bytes=-1')
    const client = driver.open()
    driver.create('/q/e', { mode: 'ephemeral', data: bytes('123') }, client)
    expect(driver.data(STATS)).toBe('count=2,bytes=3')
    driver.close(client)
    expect(driver.data(STATS)).toBe('count=1,bytes=0')
  })

  it('belongs to the nearest quota alone', () => {
    const driver = counting()
    setQuota(driver, 'count=9,bytes=-1')
    driver.create('/q/in')
    driver.create('/zookeeper/quota/q/in')
    driver.create('/zookeeper/quota/q/in/zookeeper_limits', { data: bytes('count=1,bytes=1') })
    driver.create('/zookeeper/quota/q/in/zookeeper_stats')
    driver.create('/q/in/a')
    expect(driver.data('/zookeeper/quota/q/in/zookeeper_stats')).toBe('count=2,bytes=0')
    expect(driver.data(STATS)).toBe('count=2,bytes=0')
  })

  it('stays as it is without limits, or without a place to keep it', () => {
    const driver = counting()
    setQuota(driver, 'count=9,bytes=-1')
    driver.ok(remove(LIMITS))
    driver.create('/q/a')
    expect(driver.data(STATS)).toBe('count=1,bytes=0')
    driver.ok(remove(STATS))
    driver.create(LIMITS, { data: bytes('count=9,bytes=-1') })
    driver.create('/q/b')
    driver.create(STATS)
    expect(driver.data(STATS)).toBe('count=3,bytes=0')
  })

  it('stays as it is when a multi fails', () => {
    const driver = counting()
    setQuota(driver, 'count=9,bytes=-1')
    driver.ok(multi(create('/q/a', { data: bytes('x') }), create('/q')))
    expect(driver.data(STATS)).toBe('count=1,bytes=0')
    driver.ok(multi(create('/q/a', { data: bytes('x') }), create('/q/b')))
    expect(driver.data(STATS)).toBe('count=3,bytes=1')
  })

  it('begins with the cluster version that knows quotas', () => {
    const driver = new Driver()
    setQuota(driver, 'count=9,bytes=-1')
    driver.create('/q/a', { data: bytes('123') })
    expect(driver.data(STATS)).toBe('count=0,bytes=0')
    driver.ok({ kind: 'setClusterVersion', version: SINCE_VERSION.quotas })
    expect(driver.data(STATS)).toBe('count=2,bytes=3')
  })

  it('that a client made illegible is left alone', () => {
    const driver = counting()
    setQuota(driver, 'count=9,bytes=-1')
    driver.ok(setData(STATS, 'nonsense'))
    driver.create('/q/a')
    expect(driver.data(STATS)).toBe('nonsense')
    driver.ok(setData(STATS, null))
    driver.create('/q/b')
    expect(driver.data(STATS)).toBeNull()
  })
})

describe('limits', () => {
  it('refuse nothing where the leader does not enforce them', () => {
    const driver = counting()
    setQuota(driver, 'count=1,bytes=1=;byteHardLimit=1;countHardLimit=1')
    expect(driver.apply(create('/q/a'))).not.toHaveProperty('excesses')
    expect(driver.error(setData('/q', '12345'))).toBe(ErrorCode.ok)
  })

  it('of a hard count refuse the znode too many', () => {
    const driver = counting()
    setQuota(driver, 'count=1,bytes=-1=;countHardLimit=2')
    expect(enforced(driver, create('/q/a'))).toMatchObject({ error: ErrorCode.ok })
    expect(enforced(driver, create('/q/b'))).toMatchObject({
      error: ErrorCode.quotaExceeded,
      excesses: [{ subtree: '/q', of: 'count', limit: 2, value: 3, hard: true }],
    })
    expect(driver.data(STATS)).toBe('count=2,bytes=0')
    expect(enforced(driver, setData('/q', 'any number of bytes')).error).toBe(ErrorCode.ok)
  })

  it('of hard bytes refuse creates and changes that are too large, before the version', () => {
    const driver = counting()
    setQuota(driver, 'byteHardLimit=10')
    expect(enforced(driver, create('/q/a', { data: bytes('1234567890') })).error).toBe(0)
    expect(enforced(driver, create('/q/b', { data: bytes('1') })).error).toBe(-125)
    expect(enforced(driver, create('/q/b')).error).toBe(ErrorCode.ok)
    expect(enforced(driver, setData('/q/b', '1', 7)).error).toBe(ErrorCode.quotaExceeded)
    expect(enforced(driver, setData('/q/a', '0987654321', 7)).error).toBe(ErrorCode.badVersion)
    expect(enforced(driver, setData('/q/a', '1')).error).toBe(ErrorCode.ok)
  })

  it('that are soft are told of, and no more', () => {
    const driver = counting()
    setQuota(driver, 'count=1,bytes=2')
    const result = enforced(driver, create('/q/a', { data: bytes('123') }))
    expect(result).toMatchObject({
      error: ErrorCode.ok,
      excesses: [
        { subtree: '/q', of: 'count', limit: 1, value: 2, hard: false },
        { subtree: '/q', of: 'bytes', limit: 2, value: 3, hard: false },
      ],
    })
  })

  it('see what was before a multi, not its own operations', () => {
    const driver = counting()
    setQuota(driver, 'countHardLimit=2')
    const both = enforced(driver, multi(create('/q/a'), create('/q/b'), create('/q/c')))
    expect(both.result).toMatchObject({ results: [{ kind: 'create' }, {}, {}] })
    expect(driver.data(STATS)).toBe('count=4,bytes=0')
    expect(enforced(driver, multi(remove('/q/a'), create('/q/d'))).result).toMatchObject({
      results: [{ code: 0 }, { code: ErrorCode.quotaExceeded }],
    })
  })

  it('that nobody can read are a marshalling error, as in ZooKeeper', () => {
    const driver = counting()
    setQuota(driver, 'garbage')
    expect(enforced(driver, create('/q/a')).error).toBe(ErrorCode.marshallingError)
  })

  it('beside a use that nobody can read are a marshalling error where they are enforced', () => {
    const driver = counting()
    setQuota(driver, 'count=9,bytes=9=;byteHardLimit=9;countHardLimit=9')
    driver.ok(setData(STATS, 'nonsense'))
    driver.create('/q/a')
    expect(enforced(driver, create('/q/b')).error).toBe(ErrorCode.marshallingError)
  })

  it('that nobody can read end a multi as a whole', () => {
    const driver = counting()
    setQuota(driver, 'garbage')
    expect(enforced(driver, multi(create('/else'), create('/q/a')))).toMatchObject({
      error: ErrorCode.marshallingError,
      result: { kind: 'none' },
    })
    expect(driver.machine.tree.has('/else')).toBe(false)
  })
})

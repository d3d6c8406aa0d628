import { describe, expect, it } from 'vitest'
import { SINCE_VERSION } from '../../../server/core/machine/cluster-version.ts'
import type { Operation } from '../../../server/core/machine/operation.ts'
import { ContainerDuty, type ContainerLimits } from '../../../server/ensemble/container-duty.ts'
import type { Environment } from '../../../server/ensemble/environment.ts'
import { Driver, remove, START_MS, setData } from '../machine/driver.ts'

const LIMITS: ContainerLimits = {
  containerCheckMs: 60_000,
  containerDeletionsPerMinuteMax: 600,
  containerUnusedMs: 0,
  containersPerTick: 100,
}
const TICK_MS = 50

/** A leader that ticks for as long as a test wants, and whose removals are applied at once. */
function leader(limits: Partial<ContainerLimits> = {}) {
  const driver = new Driver()
  driver.ok({ kind: 'setClusterVersion', version: SINCE_VERSION.quotas })
  const clock = { nowMs: 0 }
  const asked: Operation[] = []
  /** Not null: removals are not applied, and their outcomes wait here. */
  const slow: { outcomes: (() => void)[] | null } = { outcomes: null }
  const environment: Partial<Environment> = {
    nowMs: () => clock.nowMs,
    wallClockMs: () => START_MS + clock.nowMs,
  }
  const duty = new ContainerDuty({
    environment: environment as Environment,
    machine: () => driver.machine,
    limits: { ...LIMITS, ...limits },
    remove: (operation, done) => {
      asked.push(operation)
      if (slow.outcomes !== null) {
        slow.outcomes.push(done)
        return
      }
      driver.timeMs = Math.max(driver.timeMs, START_MS + clock.nowMs)
      driver.apply(operation)
      done()
    },
  })
  const run = (ms: number) => {
    for (const untilMs = clock.nowMs + ms; clock.nowMs < untilMs; clock.nowMs += TICK_MS) {
      duty.tick()
    }
  }
  return { driver, duty, clock, asked, run, slow }
}

function used(driver: Driver, path: string): void {
  driver.create(path, { mode: 'container' })
  driver.create(`${path}/x`)
  driver.ok(remove(`${path}/x`))
}

describe('the housekeeping of a leader', () => {
  it('removes containers that are empty again, an interval after it leads', () => {
    const { driver, asked, run } = leader()
    used(driver, '/gone')
    driver.create('/never', { mode: 'container' })
    driver.create('/full', { mode: 'container' })
    driver.create('/full/x')
    run(59_900)
    expect(asked).toEqual([])
    run(200)
    expect(asked).toEqual([{ kind: 'deleteContainer', path: '/gone' }])
    expect(driver.machine.tree.children('/').sort()).toEqual(['full', 'never', 'zookeeper'])
    run(120_000)
    expect(asked).toHaveLength(1)
  })

  it('asks for nothing twice whose outcome is not known, and again when it was in vain', () => {
    const { driver, asked, run, slow } = leader()
    used(driver, '/gone')
    slow.outcomes = []
    run(300_000)
    expect(asked).toHaveLength(1)
    slow.outcomes.pop()?.()
    run(120_000)
    expect(asked).toHaveLength(2)
  })

  it('removes TTL znodes without children that were not written for so long', () => {
    const { driver, asked, run } = leader()
    driver.create('/old', { mode: 'ttl', ttlMs: 100_000 })
    driver.create('/parent', { mode: 'ttl', ttlMs: 1 })
    driver.create('/parent/x')
    run(90_000)
    driver.timeMs = START_MS + 90_000
    driver.ok(setData('/old', 'again'))
    run(90_100)
    expect(asked).toEqual([])
    run(60_000)
    expect(asked).toEqual([{ kind: 'deleteContainer', path: '/old' }])
  })

  it('spreads removals by the minute', () => {
    const { driver, asked, run } = leader({ containerDeletionsPerMinuteMax: 60 })
    for (let i = 0; i < 10; i += 1) used(driver, `/c${i}`)
    run(60_050)
    expect(asked).toHaveLength(1)
    run(5_000)
    expect(asked).toHaveLength(6)
  })

  it('looks at so many in a tick', () => {
    const { driver, asked, run } = leader({ containersPerTick: 2 })
    for (let i = 0; i < 8; i += 1) driver.create(`/n${i}`, { mode: 'container' })
    used(driver, '/last')
    run(60_000 + 4 * TICK_MS)
    expect(asked).toEqual([])
    run(TICK_MS)
    expect(asked).toHaveLength(1)
  })

  it('removes containers that were never used, when told after how long', () => {
    const { driver, asked, run } = leader({ containerUnusedMs: 100_000 })
    driver.create('/never', { mode: 'container' })
    run(100_000)
    expect(asked).toEqual([])
    run(60_000)
    expect(asked).toEqual([{ kind: 'deleteUnusedContainer', path: '/never', unusedMs: 100_000 }])
    expect(driver.machine.tree.has('/never')).toBe(false)
  })

  it('leaves a container that was used, written or replaced since it was asked for', () => {
    const { driver } = leader()
    const removal = { kind: 'deleteUnusedContainer', path: '/c', unusedMs: 5_000 } as const
    expect(driver.error(removal)).toBe(-101)
    driver.create('/c', { mode: 'container' })
    expect(driver.error(removal)).toBe(-103)
    driver.create('/c/x')
    driver.timeMs += 10_000
    expect(driver.error(removal)).toBe(-111)
    driver.ok(remove('/c/x'))
    expect(driver.error(removal)).toBe(-103)
    driver.ok(remove('/c'))
    driver.create('/c')
    driver.timeMs += 10_000
    expect(driver.error(removal)).toBe(-103)
  })

  it('begins anew when leadership does', () => {
    const { driver, duty, asked, run } = leader()
    used(driver, '/gone')
    run(59_000)
    duty.rest()
    run(59_000)
    expect(asked).toEqual([])
    run(2_000)
    expect(asked).toHaveLength(1)
  })
})

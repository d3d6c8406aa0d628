import { describe, expect, it } from 'vitest'
import { SimulatedFileSystem } from '../../support/simulated-file-system.ts'
import { Clock, seeded } from './harness.ts'

/** The simulation's verdicts are worth what its disk is worth: it must keep and lose as it says. */
describe('the simulated disk', () => {
  it('keeps what was synced, and keeps, loses or tears at a sector what was not', () => {
    const lengths = new Set<number>()
    for (let seed = 1; seed <= 200; seed += 1) {
      const clock = new Clock()
      const disk = new SimulatedFileSystem({ schedule: clock.schedule })
      const file = disk.open('/d/f', true)
      file.writeSync(0, new Uint8Array(4096).fill(1))
      file.syncSync()
      disk.syncDirectory('/d')
      file.write(100, new Uint8Array(2000).fill(2), () => {})
      file.sync(() => expect.fail('a dead process is told nothing'))
      disk.crash(seeded(seed))
      clock.run(100)
      const found = disk.readFile('/d/f')
      expect(found).toHaveLength(4096)
      const kept = found.filter((byte) => byte === 2).length
      expect(found.subarray(100, 100 + kept).every((byte) => byte === 2)).toBe(true)
      expect([0, 2000].includes(kept) || (100 + kept) % 512 === 0).toBe(true)
      lengths.add(kept)
    }
    expect([...lengths].sort((a, b) => a - b)).toEqual([0, 412, 924, 1436, 1948, 2000])
  })

  it('does not take a sync to cover what is written while it is under way', () => {
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= 50; seed += 1) {
      const clock = new Clock()
      const disk = new SimulatedFileSystem({ schedule: clock.schedule, latencyMs: () => 1 })
      const file = disk.open('/d/f', true)
      disk.syncDirectory('/d')
      file.writeSync(0, Uint8Array.of(1))
      file.sync(() => {})
      file.writeSync(1, Uint8Array.of(2))
      clock.run(1)
      disk.crash(seeded(seed))
      outcomes.add([...disk.readFile('/d/f')].join())
    }
    expect([...outcomes].sort()).toEqual(['1', '1,2'])
  })

  it('may lose names that their directory was not synced for', () => {
    const names = new Set<string>()
    for (let seed = 1; seed <= 100; seed += 1) {
      const disk = new SimulatedFileSystem({ schedule: () => {} })
      disk.open('/d/old', true).syncSync()
      disk.syncDirectory('/d')
      disk.open('/d/new', true).syncSync()
      disk.rename('/d/old', '/d/renamed')
      disk.crash(seeded(seed))
      names.add(disk.list('/d').join())
    }
    expect([...names].sort()).toEqual(['new,old', 'new,renamed', 'old', 'renamed'])
  })
})

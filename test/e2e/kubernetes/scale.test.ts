import { beforeAll, describe, expect, it } from 'vitest'
import { installedSuite, WRITE_GAP_MS_MAX, writesThrough } from './suite.ts'

describe.sequential('scaling under writes', { timeout: 600_000 }, () => {
  const { namespace, release, load } = installedSuite('scale')

  beforeAll(() => load.start(), 120_000)

  for (const count of [5, 3, 1, 3]) {
    it(`has ${count} members after kubectl scale --replicas=${count}`, async () => {
      const { gapMs, lost } = await writesThrough(load, `to ${count} servers`, async () => {
        await namespace.kubectl('scale', release.set, `--replicas=${count}`)
        await release.rolledOut()
        await release.hasMembers(count)
      })
      expect(lost).toEqual([])
      expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    })
  }
})

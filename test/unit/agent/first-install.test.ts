import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installThroughKills } from './kills.ts'
import { Release } from './pods.ts'

const KILLS = Number(process.env['QUORATE_AGENT_KILLS'] ?? 6)
const SEED = Number(process.env['QUORATE_AGENT_SEED'] ?? 1)

describe('a first install that is killed again and again', () => {
  let release: Release

  beforeAll(async () => {
    release = await Release.create(3)
  })

  afterAll(async () => {
    await release.close()
  })

  it(`forms one cluster through ${KILLS} kills of agents and servers (seed ${SEED})`, async () => {
    expect(await installThroughKills(release, KILLS, SEED)).toBe(KILLS)
  }, 180_000)
})

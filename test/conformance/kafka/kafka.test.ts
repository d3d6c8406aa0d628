import { describe, expect, it } from 'vitest'
import { javaTool } from '../../support/java.ts'
import { titleOf } from '../../support/toolchain.ts'
import { kafkaRun } from './run.ts'

const tool = javaTool('kafka')
const RECORDS = 10_000

describe.skipIf(tool.found === null)(titleOf('Kafka with Quorate', tool), () => {
  it('loses no acknowledged record when its controller and then our leader are killed', async () => {
    const { records, controllerEpochs } = await kafkaRun(RECORDS)
    expect(records).toBe(RECORDS)
    const [before, after] = controllerEpochs
    expect(after).toBeGreaterThan(before)
  }, 400_000)
})

import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { PatroniTrial } from '../patroni/trial.ts'
import { patroniTool, titleOf } from '../support/toolchain.ts'

const tool = patroniTool()

/** The rest of the trial takes minutes: `npm run soak patroni`. */
describe.skipIf(tool.found === null)(titleOf('Patroni with PostgreSQL', tool), () => {
  let trial: PatroniTrial | undefined
  beforeAll(async () => {
    trial = await PatroniTrial.start()
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(trial?.logs())
  })
  afterAll(async () => await trial?.stop())

  it('bootstraps one primary and two streaming replicas', async () => {
    await trial?.bootstraps()
  })

  it('keeps its primary when the leader of the servers is killed', async () => {
    await trial?.keepsItsPrimaryWithoutTheLeader()
  })

  it('fails over when the primary is killed, without losing an acknowledged write', async () => {
    await trial?.failsOver()
  })
})

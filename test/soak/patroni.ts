import { PatroniTrial } from '../patroni/trial.ts'

type Step = (trial: PatroniTrial) => Promise<object>

const STEPS: Readonly<Record<string, Step>> = {
  bootstraps: (trial) => trial.bootstraps(),
  'keeps its primary without the leader': (trial) => trial.keepsItsPrimaryWithoutTheLeader(),
  'fails over': (trial) => trial.failsOver(),
  'switches over': (trial) => trial.switchesOver(),
  'outlives an outage': (trial) => trial.outlivesAnOutage(),
  'takes another ttl': (trial) => trial.takesAnotherTtl(),
  'fails over again': (trial) => trial.failsOver(),
}

/** All that may happen to Patroni's members and their servers; ends at the first step that fails. */
export async function patroni() {
  const trial = await PatroniTrial.start()
  const steps: object[] = []
  try {
    for (const [name, step] of Object.entries(STEPS)) {
      const startedAt = Date.now()
      const figures = await step(trial)
      steps.push({ name, seconds: Math.round((Date.now() - startedAt) / 100) / 10, ...figures })
      console.log(JSON.stringify(steps.at(-1)))
    }
    return { passed: true, steps }
  } catch (error) {
    console.error(trial.logs())
    return { passed: false, steps, failure: String(error) }
  } finally {
    await trial.stop()
  }
}

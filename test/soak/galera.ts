import { GaleraTrial } from '../galera/trial.ts'

interface Round {
  readonly firstWrite: number
  readonly allReady: number
}

/**
 * Members of Galera that are killed all at once, `rounds` times under writes, and what else may happen to them; a
 * copy that is slowed by `copySeconds`. Ends at the first step that fails.
 */
export async function galera(rounds: number, copySeconds: number) {
  const trial = await GaleraTrial.start()
  const steps: object[] = []
  const killed: Round[] = []
  const step = async (name: string, run: () => Promise<object>) => {
    steps.push({ name, ...(await run()) })
    console.log(JSON.stringify(steps.at(-1)))
  }
  const results = () => ({
    rounds: `${killed.length} of ${rounds}`,
    secondsToTheFirstWrite: spreadOf(killed.map(({ firstWrite }) => firstWrite)),
    secondsToAllMembers: spreadOf(killed.map(({ allReady }) => allReady)),
    steps,
    killed,
  })
  try {
    await step('forms', () => trial.forms())
    for (let round = 0; round < rounds; round += 1) {
      // In turns: all at once, and one that misses some writes, another each time.
      const figures = await trial.outlivesAllKilled(round % 2 === 0 ? null : (round >> 1) % 3)
      killed.push(figures)
      console.log(JSON.stringify({ round: round + 1, ...figures }))
    }
    await step('joins after it began', () => trial.joinsAfterItBegan())
    await step('scales 3 to 5 to 3', () => trial.scales())
    await step('heals a partition', () => trial.healsAPartition())
    await step('stops and comes back', () => trial.stopsAndComesBack())
    await step('is killed again', () => trial.outlivesAllKilled(null))
    await step('waits for a slow copy', () => trial.waitsForASlowCopy(copySeconds))
    return { passed: true, ...results() }
  } catch (error) {
    console.error(trial.logs())
    return { passed: false, ...results(), failure: String(error) }
  } finally {
    await trial.stop()
  }
}

function spreadOf(values: readonly number[]) {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? null
  return { least: at(0), median: at(0.5), most: at(1) }
}

import fc from 'fast-check'
import { becomesWhole, engines, formsNoSecond } from '../unit/agent/dependents-campaign.ts'

/** A process of its own: ENGINE, its number; PROPERTY, `whole` or `second`; SEED; RUNS. Prints one line of JSON. */
const [engine = '', property = '', seed = '', runs = ''] = process.argv.slice(2)
const found = engines[Number(engine)]
if (found === undefined) throw new Error(`there is no engine ${engine}`)
const [, modelOf, whole] = found
const tally = { runs: 0, healed: 0 }
const played =
  property === 'whole' ? becomesWhole(modelOf, whole, tally) : formsNoSecond(modelOf, tally)
// A failure is told with the path that plays it again; making it small is for whoever mends it.
const parameters = { seed: Number(seed), numRuns: Number(runs), endOnFailure: true }
const { failed, counterexamplePath, errorInstance } = fc.check<unknown>(played, parameters)
const message = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
const failure = failed ? { seed: Number(seed), path: counterexamplePath, message } : null
console.log(JSON.stringify({ ...tally, failure }))

/** One kind of engine and one property, in a process of its own: KIND PROPERTY RUNS SEED. */
import fc from 'fast-check'
import { formsNoSecond, formsOne, kinds } from '../unit/agent/dependents-play.ts'

const [at, property, runs, seed] = process.argv.slice(2)
const kind = kinds[Number(at)]
if (kind === undefined) throw new Error(`there is no kind ${at}`)
const made = property === 'one' ? formsOne(kind) : formsNoSecond(kind)
const { failed, numRuns, counterexamplePath, errorInstance } = fc.check(made, {
  numRuns: Number(runs),
  seed: Number(seed),
})
const failure = failed ? { path: counterexamplePath, message: String(errorInstance) } : null
console.log(JSON.stringify({ runs: numRuns, failure }))

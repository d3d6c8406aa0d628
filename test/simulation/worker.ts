import { runSeed } from './simulation.ts'

/** `worker FROM TO STEP`: runs every STEP-th seed and prints a line of JSON for each. */
const [from = 1, to = 1, step = 1] = process.argv.slice(2).map(Number)
for (let seed = from; seed <= to; seed += step) {
  process.stdout.write(`${JSON.stringify(runSeed(seed))}\n`)
}

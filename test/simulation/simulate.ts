import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { MUTANTS, mutantNames, runMutant } from './mutants.ts'
import { runSeed } from './simulation.ts'
import { bundle, ROOT, runSeeds } from './workers.ts'

const number = (text: string) => Number.parseInt(text, 10)

/** `npm run simulate`: any number of seeds, one seed with its trace, or the mutants. */
const options = new Command()
  .option('--seeds <n>', 'how many seeds to run', number, 300)
  .option('--from <n>', 'the first of them', number, 1)
  .option('--seed <n>', 'run this seed alone', number)
  .option('--trace', 'with --seed: print what happens, with virtual times')
  .option('--mutants', 'run every deliberate bug of test/mutants and record what catches it')
  .option('--mutant <name>', 'run one of them')
  .parse()
  .opts<{
    seeds: number
    from: number
    seed?: number
    trace?: true
    mutants?: true
    mutant?: string
  }>()

const range = { from: options.from, to: options.from + options.seeds - 1 }
process.exitCode = (await main()) ? 0 : 1

async function main(): Promise<boolean> {
  if (options.mutants) return mutants(mutantNames(), true)
  if (options.mutant !== undefined) return mutants([options.mutant], false)
  if (options.seed !== undefined) return one(options.seed, options.trace === true)
  return many()
}

function one(seed: number, trace: boolean): boolean {
  const result = runSeed(seed, trace ? (line) => console.log(line) : null)
  console.log(JSON.stringify(result))
  return result.violation === null
}

async function many(): Promise<boolean> {
  const { file, remove } = await bundle(ROOT)
  let runs = 0
  let operations = 0
  let failures = 0
  try {
    await runSeeds(file, range, ({ seed, violation, ...result }) => {
      runs += 1
      operations += result.operations
      if (violation === null) return true
      failures += 1
      console.log(`seed ${seed}: ${violation.message}`)
      console.log(`  npm run simulate -- --seed ${seed} --trace`)
      return true
    })
  } finally {
    remove()
  }
  console.log(`${runs} seeds, ${operations} operations, ${failures} failed`)
  return failures === 0 && runs === options.seeds
}

async function mutants(names: readonly string[], record: boolean): Promise<boolean> {
  const catches = []
  for (const name of names) {
    const found = await runMutant(name, range)
    catches.push(found)
    const { caught } = found
    console.log(
      caught === null
        ? `${name}: SURVIVED ${found.runs} seeds`
        : `${name}: seed ${caught.seed}, ${caught.message}`,
    )
  }
  if (record) {
    const file = join(MUTANTS, 'results.json')
    writeFileSync(file, `${JSON.stringify({ seeds: range, catches }, null, 2)}\n`)
  }
  return catches.every(({ caught }) => caught !== null)
}

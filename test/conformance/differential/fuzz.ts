import { Command } from 'commander'
import { campaign } from './campaign.ts'

const number = (text: string) => Number.parseInt(text, 10)

/** `npm run fuzz`: the same seeded requests to Apache ZooKeeper and to Quorate, and what differs. */
const options = new Command()
  .option('--from <seed>', 'the first seed', number, 1)
  .option('--to <seed>', 'the last seed', number, 20)
  .option('--operations <n>', 'how many operations a seed has', number, 1_000)
  .option('--seed <seed>', 'run this seed alone', number)
  .option('--stage <name>', 'run the seeds of this stage alone: alone, leader or reaper')
  .option('--keep-going', 'go on with the next seed at a difference')
  .parse()
  .opts<{
    from: number
    to: number
    operations: number
    seed?: number
    stage?: string
    keepGoing?: true
  }>()

const { passed } = await campaign({
  from: options.seed ?? options.from,
  to: options.seed ?? options.to,
  operations: options.operations,
  stage: options.stage,
  keepGoing: options.keepGoing === true,
  report: (line) => console.log(line),
})
process.exitCode = passed ? 0 : 1

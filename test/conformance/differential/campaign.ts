import { reservePorts } from '../../support/ports.ts'
import { quorateEnsemble } from '../../support/quorate-process.ts'
import { zookeeperEnsemble } from '../../support/zookeeper-process.ts'
import { stepsOf } from './generator.ts'
import { type Difference, type Ports, run, shrink } from './run.ts'
import { describeStep, operationsOf, type Step } from './steps.ts'

export interface CampaignOptions {
  readonly from: number
  readonly to: number
  /** Of each seed. */
  readonly operations: number
  /** Whether a seed with a difference is followed by the next. */
  readonly keepGoing: boolean
  report(line: string): void
}

export interface CampaignResult {
  readonly passed: boolean
  readonly seeds: number
  readonly operations: number
  /** Wanted differences that were met, by name. */
  readonly met: Readonly<Record<string, number>>
  readonly differences: readonly string[]
}

/** Long, so that no session's time is up within a run. */
const TICK_MS = 6_000

/** No container is removed in the middle of a run. */
const settings = { 'znode.container.checkIntervalMs': '86400000' }

/** Runs seeds against one server of each kind, alone and fresh. */
export async function campaign(options: CampaignOptions): Promise<CampaignResult> {
  const [peerPort] = await reservePorts(1)
  const both = [
    // Its disk is not what is compared, and flushing it takes most of the time.
    await zookeeperEnsemble({
      servers: 1,
      tickMs: TICK_MS,
      settings: { ...settings, forceSync: 'no' },
    }),
    await quorateEnsemble({
      servers: 1,
      tickMs: TICK_MS,
      // One that stands alone has no server line that would name it.
      settings: { ...settings, 'quorate.peerPort': String(peerPort) },
    }),
  ] as const
  const met: Record<string, number> = {}
  const differences: string[] = []
  let seeds = 0
  let operations = 0
  try {
    await Promise.all(both.map((ensemble) => ensemble.start()))
    const [zookeeper = 0, quorate = 0] = both.map(({ clientPorts }) => clientPorts[0])
    const ports = { zookeeper, quorate }
    // What a server writes for itself when it starts takes zxids, too: let that be over.
    await run(ports, stepsOf(0, 300))
    for (let seed = options.from; seed <= options.to; seed += 1) {
      const steps = stepsOf(seed, options.operations)
      const result = await run(ports, steps)
      for (const [name, times] of result.met) met[name] = (met[name] ?? 0) + times
      seeds += 1
      operations += steps.reduce((sum, step) => sum + operationsOf(step), 0)
      if (seeds % 10 === 0) options.report(`${seeds} seeds, ${operations} operations`)
      if (result.difference === null) continue
      const told = await tell(ports, seed, options, steps, result.difference)
      differences.push(told)
      options.report(told)
      if (!options.keepGoing) break
    }
  } catch (error) {
    for (const ensemble of both) options.report(ensemble.logs())
    throw error
  } finally {
    await Promise.all(both.map((ensemble) => ensemble.stop()))
  }
  options.report(`${seeds} seeds, ${operations} operations, ${differences.length} differences`)
  options.report(`wanted differences met: ${JSON.stringify(met)}`)
  return { passed: differences.length === 0, seeds, operations, met, differences }
}

async function tell(
  ports: Ports,
  seed: number,
  options: CampaignOptions,
  steps: readonly Step[],
  first: Difference,
): Promise<string> {
  options.report(`seed ${seed} differs at step ${first.at}: ${first.step}`)
  const { steps: fewer, difference } = await shrink(ports, steps, first, () => undefined)
  return [
    `seed ${seed} differs:`,
    ...fewer.map((step) => `  ${describeStep(step)}`),
    '  Apache ZooKeeper:',
    ...difference.zookeeper.map((line) => `    ${line}`),
    '  Quorate:',
    ...difference.quorate.map((line) => `    ${line}`),
    `  npm run fuzz -- --seed ${seed} --operations ${options.operations}`,
  ].join('\n')
}

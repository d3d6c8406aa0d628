import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reservePorts } from '../../support/ports.ts'
import { leaderOf, type ServerEnsemble } from '../../support/processes.ts'
import { quorateEnsemble } from '../../support/quorate-process.ts'
import { zookeeperEnsemble } from '../../support/zookeeper-process.ts'
import { authenticate } from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op, RawClient } from '../raw-client.ts'
import { stepsOf } from './generator.ts'
import { type Difference, type Ports, run, shrink } from './run.ts'
import { SASL_USERS_FILE, type Stage, stages } from './stage.ts'
import { describeStep, operationsOf, type Step } from './steps.ts'

export interface CampaignOptions {
  readonly from: number
  readonly to: number
  /** Of each seed. */
  readonly operations: number
  /** The only stage whose seeds are run. */
  readonly stage?: string | undefined
  /** Whether a seed with a difference is followed by the next. */
  readonly keepGoing: boolean
  report(line: string): void
}

export interface CampaignResult {
  readonly passed: boolean
  readonly seeds: number
  readonly operations: number
  /** How many seeds each stage had. */
  readonly stages: Readonly<Record<string, number>>
  /** Wanted differences that were met, by name. */
  readonly met: Readonly<Record<string, number>>
  readonly differences: readonly string[]
}

interface Tally {
  seeds: number
  operations: number
  readonly stages: Record<string, number>
  readonly met: Record<string, number>
  readonly differences: string[]
}

/** Runs seeds, each at its stage, against fresh servers of both kinds. */
export async function campaign(options: CampaignOptions): Promise<CampaignResult> {
  const tally: Tally = { seeds: 0, operations: 0, stages: {}, met: {}, differences: [] }
  for (const stage of stages) {
    if (options.stage !== undefined && options.stage !== stage.name) continue
    const seeds: number[] = []
    for (let seed = options.from; seed <= options.to; seed += 1) {
      if (stage.has(seed)) seeds.push(seed)
    }
    if (seeds.length === 0) continue
    options.report(`${stage.name}: ${seeds.length} seeds`)
    tally.stages[stage.name] = seeds.length
    await runStage(stage, seeds, options, tally)
    if (tally.differences.length > 0 && !options.keepGoing) break
  }
  const { seeds, operations, differences, met } = tally
  options.report(`${seeds} seeds, ${operations} operations, ${differences.length} differences`)
  options.report(`wanted differences met: ${JSON.stringify(met)}`)
  return { passed: differences.length === 0, ...tally }
}

async function runStage(
  stage: Stage,
  seeds: readonly number[],
  options: CampaignOptions,
  tally: Tally,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-differential-'))
  const saslUsersFile = join(directory, 'users.conf')
  writeFileSync(saslUsersFile, SASL_USERS_FILE)
  try {
    await runOn(await ensembles(stage, saslUsersFile), stage, seeds, options, tally)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function runOn(
  both: readonly ServerEnsemble[],
  stage: Stage,
  seeds: readonly number[],
  options: CampaignOptions,
  tally: Tally,
): Promise<void> {
  try {
    await Promise.all(both.map((ensemble) => ensemble.start()))
    const [zookeeper, quorate] = await Promise.all(both.map((each) => leading(each, stage)))
    const ports = { zookeeper: zookeeper ?? 0, quorate: quorate ?? 0 }
    // What a server writes for itself when it starts takes zxids, too: let that be over.
    await run(ports, stepsOf(0, 300, stage.repertoire))
    for (const seed of seeds) {
      await runSeed(stage, ports, seed, options, tally)
      if (tally.differences.length > 0 && !options.keepGoing) return
    }
  } catch (error) {
    for (const ensemble of both) options.report(ensemble.logs())
    throw error
  } finally {
    await Promise.all(both.map((ensemble) => ensemble.stop()))
  }
}

async function ensembles(
  { servers }: Stage,
  saslUsersFile: string,
): Promise<readonly ServerEnsemble[]> {
  const settings = { ...servers.settings, 'java.security.auth.login.config': saslUsersFile }
  const [peerPort] = await reservePorts(1)
  // One that stands alone has no server line that would name it.
  const own = servers.servers === 1 ? { 'quorate.peerPort': String(peerPort) } : {}
  return [
    // Its disk is not what is compared, and flushing it takes most of the time.
    await zookeeperEnsemble({ ...servers, settings: { ...settings, forceSync: 'no' } }),
    await quorateEnsemble({ ...servers, settings: { ...settings, ...own } }),
  ]
}

/** The port of the server that leads, and says so in a configuration that it has written itself. */
async function leading(ensemble: ServerEnsemble, { repertoire }: Stage): Promise<number> {
  const port = ensemble.clientPorts[await leaderOf(ensemble)] ?? 0
  if (!repertoire.reconfigures) return port
  const client = await RawClient.connect(port)
  await authenticate(client, 'digest', 'super:secret')
  const nothing = new Fields().text(null).text(null).text(null).long(-1n)
  if ((await client.code(op.reconfig, nothing)) !== 0) throw new Error('no reconfig')
  await client.close()
  return port
}

async function runSeed(
  { repertoire }: Stage,
  ports: Ports,
  seed: number,
  options: CampaignOptions,
  tally: Tally,
): Promise<void> {
  const steps = stepsOf(seed, options.operations, repertoire)
  const result = await run(ports, steps)
  for (const [name, times] of result.met) tally.met[name] = (tally.met[name] ?? 0) + times
  tally.seeds += 1
  tally.operations += steps.reduce((sum, step) => sum + operationsOf(step), 0)
  if (tally.seeds % 10 === 0) options.report(`${tally.seeds} seeds, ${tally.operations} operations`)
  if (result.difference === null) return
  const told = await tell(ports, seed, options, steps, result.difference)
  tally.differences.push(told)
  options.report(told)
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

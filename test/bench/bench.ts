import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { leaderOf, type ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { zookeeperTool } from '../support/toolchain.ts'
import { zookeeperEnsemble } from '../support/zookeeper-process.ts'
import { GeneratorProcess } from './generator-process.ts'
import type { LoadOperation, LoadShape } from './load.ts'
import {
  busySeconds,
  commit,
  describeMachine,
  loadAverage,
  memoryOf,
  processorSeconds,
  settingsInForce,
} from './machine.ts'
import {
  compare,
  type Measured,
  type MemoryFigures,
  median,
  memoryTableOf,
  tableOf,
} from './report.ts'
import { type BenchSettings, nameOf, readSettings, type ServerName, usage } from './settings.ts'

/*
 * Quorate beside Apache ZooKeeper: two ensembles of three servers on this machine, both running all
 * the time, one load generator that loads one of them at a time, in turns.
 */

const repository = fileURLToPath(new URL('../..', import.meta.url))
/** ZooKeeper's zkServer.sh starts it with this heap (ZK_SERVER_HEAP); java alone would take more. */
const ZOOKEEPER_HEAP = '-Xmx1000m'
/** Warm-up goes on until a pass is no more than this much faster than the best before it. */
const STEADY_GAIN = 0.05
const WARM_UP_PASSES_MIN = 3
const WARM_UP_PASSES_MAX = 8
const WARM_UP_WINDOW_MS = 1_500
const QUIET_MS = 15_000

interface Contestant {
  readonly name: ServerName
  readonly ensemble: ServerEnsemble
}

const settings = settingsOrExit()
const tool = zookeeperTool()
if (settings.servers.includes('zookeeper') && tool.found === null) {
  process.stderr.write(`bench: ${tool.reason}\n`)
  process.exit(1)
}
process.env['JAVA_TOOL_OPTIONS'] ??= ZOOKEEPER_HEAP
say('building')
execFileSync(process.execPath, ['--import', 'tsx', 'build.ts'], {
  cwd: repository,
  stdio: 'inherit',
})
const generator = await GeneratorProcess.start()
const running = new Set<ServerEnsemble>()
let abandoned = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void abandon(signal))
}
try {
  await run()
} catch (error) {
  // Servers that are being stopped close their connections: no news.
  if (!abandoned) throw error
} finally {
  generator.stop()
}

/** Leaves neither servers nor their data behind. */
async function abandon(signal: string): Promise<void> {
  abandoned = true
  say(`${signal}: stopping`)
  await Promise.allSettled([...running].map(stop))
  generator.stop()
  process.exit(1)
}

async function run(): Promise<void> {
  const startedAt = new Date()
  const memory: MemoryFigures[] = []
  const measured: Measured[] = []
  const record = (complete: boolean): string =>
    write(startedAt, { complete, measured, comparisons: compare(measured), memory })
  if (settings.memoryZnodes > 0) {
    for (const name of settings.servers) memory.push(await measureMemory(name))
  }
  if (settings.rounds > 0) await measureRounds(measured, memory, () => record(false))
  const file = record(true)
  const comparisons = compare(measured)
  if (comparisons.length > 0) process.stdout.write(`\n${tableOf(comparisons)}\n`)
  const others = measured.flatMap((one) => one.otherCores ?? [])
  if (others.length > 0) {
    const [typical, most] = [median(others).toFixed(2), Math.max(...others).toFixed(2)]
    process.stdout.write(`\nOther programs took ${typical} cores in the median, ${most} at most.\n`)
  }
  if (memory.length > 0) process.stdout.write(`\n${memoryTableOf(memory)}\n`)
  process.stdout.write(`\n${file}\n`)
}

// --- Throughput and latency ----------------------------------------------------------------------

async function measureRounds(
  measured: Measured[],
  memory: MemoryFigures[],
  save: () => void,
): Promise<void> {
  const contestants: Contestant[] = []
  try {
    for (const name of settings.servers) contestants.push({ name, ensemble: await start(name) })
    for (const contestant of contestants) await warmUp(contestant)
    for (let round = 1; round <= settings.rounds; round += 1) {
      // Whoever goes second finds what the first left to the disk: they take turns at it.
      const order = round % 2 === 1 ? contestants : [...contestants].reverse()
      for (const load of settings.loads) {
        for (const operation of settings.operations) {
          for (const one of order) measured.push(await measure(one, round, load, operation))
        }
      }
      save()
    }
    for (const { name, ensemble } of contestants) {
      memory.push(residentMemory(name, ensemble, 'after all rounds'))
    }
  } catch (error) {
    if (!abandoned) {
      for (const { ensemble } of contestants) process.stderr.write(`${ensemble.logs()}\n`)
    }
    throw error
  } finally {
    for (const { ensemble } of contestants) await stop(ensemble)
  }
}

async function start(name: ServerName): Promise<ServerEnsemble> {
  say(`starting ${name}`)
  const options = { servers: 3, parentDirectory: settings.directory } as const
  const ensemble = await (name === 'quorate'
    ? quorateEnsemble(options)
    : zookeeperEnsemble(options))
  running.add(ensemble)
  await ensemble.start()
  await leaderOf(ensemble)
  await generator.perform({ kind: 'prepare', ports: ensemble.clientPorts })
  return ensemble
}

async function stop(ensemble: ServerEnsemble): Promise<void> {
  running.delete(ensemble)
  await ensemble.stop()
}

/** The JIT compilers of both servers need load before their speed is their own. */
async function warmUp({ name, ensemble }: Contestant): Promise<void> {
  let best = 0
  for (let pass = 1; pass <= WARM_UP_PASSES_MAX; pass += 1) {
    let total = 0
    for (const load of settings.loads) {
      for (const operation of settings.operations) {
        const figures = await generator.perform({
          kind: 'measure',
          ports: ensemble.clientPorts,
          operation,
          load,
          warmUpMs: 100,
          measuredMs: WARM_UP_WINDOW_MS,
        })
        total += figures?.perSecond ?? 0
      }
    }
    say(`warming ${name}, pass ${pass}: ${Math.round(total)} ops/s over all loads`)
    if (pass >= WARM_UP_PASSES_MIN && total < best * (1 + STEADY_GAIN)) return
    best = Math.max(best, total)
  }
}

async function measure(
  { name, ensemble }: Contestant,
  round: number,
  load: LoadShape,
  operation: LoadOperation,
): Promise<Measured> {
  const pids = pidsOf(ensemble)
  const cpuBefore = processorSeconds(pids)
  const busyBefore = busySeconds()
  const startedAtMs = performance.now()
  const figures = await generator.perform({
    kind: 'measure',
    ports: ensemble.clientPorts,
    operation,
    load,
    warmUpMs: settings.warmUpSeconds * 1000,
    measuredMs: settings.measuredSeconds * 1000,
  })
  if (figures === null) throw new Error('a measurement without figures')
  const seconds = (performance.now() - startedAtMs) / 1000
  const cores = (processorSeconds(pids) - cpuBefore) / seconds
  const { perSecond, p50Ms, p99Ms, generatorCores } = figures
  const others = Math.max(0, (busySeconds() - busyBefore) / seconds - cores - generatorCores)
  say(
    `round ${round} ${nameOf(load)} ${operation} ${name}: ${perSecond.toFixed(0)}/s, ` +
      `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, servers ${cores.toFixed(2)} cores, ` +
      `generator ${generatorCores.toFixed(2)}, others ${others.toFixed(2)}`,
  )
  return {
    round,
    server: name,
    load: nameOf(load),
    operation,
    ...figures,
    serverCores: Number.isNaN(cores) ? null : cores,
    otherCores: Number.isNaN(others) ? null : others,
  }
}

// --- Memory --------------------------------------------------------------------------------------

/** A fresh ensemble, so that what the rounds left in the heaps does not count. */
async function measureMemory(name: ServerName): Promise<MemoryFigures> {
  const ensemble = await start(name)
  try {
    const { memoryZnodes: znodes } = settings
    say(`filling ${name} with ${znodes} znodes`)
    await generator.perform({ kind: 'fill', ports: ensemble.clientPorts, znodes })
    await pause(QUIET_MS)
    return residentMemory(name, ensemble, `${znodes} znodes of 100 bytes`)
  } finally {
    await stop(ensemble)
  }
}

function residentMemory(name: ServerName, ensemble: ServerEnsemble, when: string): MemoryFigures {
  const processes = pidsOf(ensemble).map(memoryOf)
  const rssMb = processes.map((memory) => memory.rssMb)
  say(`${name}, ${when}: ${rssMb.map((mb) => mb.toFixed(0)).join(' + ')} MB resident`)
  return { server: name, when, rssMb, peakMb: processes.map((memory) => memory.peakMb) }
}

// --- Around it -----------------------------------------------------------------------------------

function write(startedAt: Date, results: object): string {
  const directory = join(repository, 'test', 'bench', 'results')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, `${startedAt.toISOString().slice(0, 10)}-${settings.name}.json`)
  const { directory: dataDirectory, ...shown } = settings
  const record = {
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    startedAt: startedAt.toISOString(),
    endedAt: new Date().toISOString(),
    commit: commit(),
    machine: describeMachine(dataDirectory),
    loadAverage: loadAverage(),
    environment: settingsInForce(),
    settings: shown,
    ...results,
  }
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`)
  return file
}

function pidsOf(ensemble: ServerEnsemble): number[] {
  return ensemble.pids().map((pid, index) => {
    if (pid === undefined) throw new Error(`server ${index + 1} of ${ensemble.name} is down`)
    return pid
  })
}

function settingsOrExit(): BenchSettings {
  try {
    return readSettings(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n${usage}\n`)
    process.exit(2)
  }
}

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

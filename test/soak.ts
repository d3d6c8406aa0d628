import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { campaign } from './conformance/differential/campaign.ts'
import { bundle, ROOT, runSeeds } from './simulation/workers.ts'
import { agentCrashLoop } from './soak/agent-crash-loop.ts'
import { agentIdle } from './soak/agent-idle.ts'
import { clientSuites } from './soak/client-suites.ts'
import { dependentsInterleavings } from './soak/dependents-interleavings.ts'
import { firstInstallKills } from './soak/first-install-kills.ts'
import { frames } from './soak/frames.ts'
import { galera } from './soak/galera.ts'
import { halfOpen } from './soak/half-open.ts'
import { javaSuites } from './soak/java-suites.ts'
import { kafka } from './soak/kafka.ts'
import { mongodbInstalls } from './soak/mongodb-installs.ts'
import { patroni } from './soak/patroni.ts'
import { reconnectStorm } from './soak/reconnect-storm.ts'

/**
 * `npm run soak NAME`: the long runs; each leaves its result as JSON with the commit it ran at. A run
 * on a cluster takes a number of seconds, for a trial; `frames` a number of frames, `kafka` a number of
 * records, `half-open` one of connections, `reconnect-storm` one of sessions, `mongodb-installs` one of installs;
 * `galera` a number of rounds, and one of seconds by which a copy is slowed.
 */
const soaks: Readonly<Record<string, () => Promise<{ readonly passed: boolean }>>> = {
  'simulate-5000': () => simulate(1, 5_000),
  fuzz: () => fuzz(Number(process.argv[3] ?? 200)),
  'agent-crash-loop': () => agentCrashLoop(Number(process.argv[3] ?? 1_200)),
  'agent-idle': () => agentIdle(Number(process.argv[3] ?? 600)),
  'dependents-interleavings': () => interleavings(() => true),
  'mongodb-interleavings': () => interleavings((engine) => engine === 'MongoDB'),
  'galera-interleavings': () => interleavings((engine) => engine === 'Galera'),
  'allegrograph-interleavings': () => interleavings((engine) => engine === 'AllegroGraph'),
  'generic-interleavings': () => interleavings((engine) => engine.startsWith('any engine')),
  'first-install-kills': () => firstInstallKills(200),
  galera: () => galera(Number(process.argv[3] ?? 20), Number(process.argv[4] ?? 1_200)),
  'java-suites': () => javaSuites(),
  kafka: () => kafka(Number(process.argv[3] ?? 100_000)),
  'mongodb-installs': () => mongodbInstalls(Number(process.argv[3] ?? 50)),
  patroni: () => patroni(),
  'client-suites': () => clientSuites(),
  'half-open': () =>
    halfOpen({
      connections: Number(process.argv[3] ?? 10_000),
      pingP99MsMax: 100,
      residentShareMax: 1.1,
      warmUps: 4,
      rounds: [['tls'], ['plain'], ['tls', 'plain']],
    }),
  'reconnect-storm': () =>
    reconnectStorm({
      sessions: Number(process.argv[3] ?? 5_000),
      rounds: 5,
      pingP99MsMax: 100,
    }),
  frames: () =>
    frames({
      frames: Number(process.argv[3] ?? 10_000_000),
      warmUpFrames: 500_000,
      framesPerSecond: 20_000,
      halfOpenHandshakes: 10_000,
      residentMbMore: 64,
      p99MsMax: 100,
      rateShareMin: 0.95,
      seed: 1,
      pinned: true,
    }),
}

/** Takes a number of runs and a seed. */
function interleavings(picks: (engine: string) => boolean) {
  const [runs, seed] = process.argv.slice(3)
  return dependentsInterleavings(Number(runs ?? 10_000), Number(seed ?? 1), picks)
}

/** Apache ZooKeeper and Quorate under the same 200 streams; a few of them take a number. */
async function fuzz(to: number) {
  const { passed, ...result } = await campaign({
    from: 1,
    to,
    operations: 1_000,
    keepGoing: true,
    report: (line) => console.log(line),
  })
  return { passed: passed && result.operations >= to * 1_000, ...result }
}

/** What a change of would make the recorded commit a wrong one. */
const SUBJECTS = [
  'server',
  'agent',
  'image',
  'charts',
  'build.ts',
  'test/simulation',
  'test/conformance',
  'test/unit/agent',
]

const name = process.argv[2] ?? ''
const soak = soaks[name]
if (soak === undefined) {
  console.error(`npm run soak NAME, where NAME is one of: ${Object.keys(soaks).join(', ')}`)
  process.exit(2)
}
const startedAt = Date.now()
const commit = git('rev-parse', 'HEAD')
const changed = git('status', '--porcelain', '--', ...SUBJECTS) !== ''
// The commit that is recorded is the one that runs.
await import('../build.ts')
const result = await soak()
const seconds = Math.round((Date.now() - startedAt) / 1000)
const file = resolve(dirname(fileURLToPath(import.meta.url)), 'soak', `${name}.json`)
mkdirSync(dirname(file), { recursive: true })
const command = `npm run soak ${process.argv.slice(2).join(' ')}`
const record = { command, commit, changed, seconds, ...result }
writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`)
console.log(JSON.stringify(record))
process.exitCode = result.passed ? 0 : 1

function git(...args: string[]): string {
  return spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout.trim()
}

async function simulate(from: number, to: number) {
  const { file: worker, remove } = await bundle(ROOT)
  const failures: { seed: number; message: string }[] = []
  let seeds = 0
  let operations = 0
  let virtualSeconds = 0
  try {
    await runSeeds(worker, { from, to }, (run) => {
      seeds += 1
      operations += run.operations
      virtualSeconds += run.virtualMs / 1000
      if (run.violation !== null) {
        failures.push({ seed: run.seed, message: run.violation.message })
        console.log(`seed ${run.seed}: ${run.violation.message}`)
      }
      if (seeds % 250 === 0) console.log(`${seeds} seeds, ${failures.length} failed`)
      return true
    })
  } finally {
    remove()
  }
  const passed = failures.length === 0 && seeds === to - from + 1
  return { passed, seeds, operations, virtualSeconds: Math.round(virtualSeconds), failures }
}

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, getPriority, loadavg, totalmem } from 'node:os'
import { zookeeperTool } from '../support/toolchain.ts'

const MB = 1024 * 1024
/** The kernel counts processor time of /proc in these, everywhere that Node runs. */
const CLOCK_TICKS_PER_SECOND = 100

export interface Machine {
  readonly cores: number
  readonly processor: string
  readonly memoryMb: number
  readonly system: string
  readonly disk: string
  readonly node: string
  readonly java: string
  readonly zookeeper: string
  /** Of the bench and all that it starts; below 0 it goes before other programs. */
  readonly priority: number
}

/** What the figures were made on; `directory` is where the servers keep their data. */
export function describeMachine(directory: string): Machine {
  const [processor] = cpus()
  return {
    cores: cpus().length,
    processor: processor?.model.trim() ?? 'unknown',
    memoryMb: Math.round(totalmem() / MB),
    system: output('uname', '-sr'),
    disk:
      output('df', '-PT', directory).split('\n').at(-1)?.split(/\s+/).slice(0, 2).join(' ') ?? '',
    node: process.version,
    java: javaVersion(),
    zookeeper: zookeeperVersion(),
    priority: getPriority(),
  }
}

export function commit(): string {
  const hash = output('git', 'rev-parse', '--short=12', 'HEAD')
  const changed = output('git', 'status', '--porcelain', '--', 'server', 'package-lock.json') !== ''
  return changed ? `${hash} with changes` : hash
}

export interface Memory {
  /** Resident set of the process in MB. */
  readonly rssMb: number
  /** The most it ever was; null where the system does not tell. */
  readonly peakMb: number | null
}

export function memoryOf(pid: number): Memory {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
    return { rssMb: kb('VmRSS') / 1024, peakMb: kb('VmHWM') / 1024 }
  } catch {
    // No /proc on this system.
    return { rssMb: Number(output('ps', '-o', 'rss=', '-p', String(pid))) / 1024, peakMb: null }
  }
}

/** Processor time that the processes have used, in seconds; NaN where the system does not tell. */
export function processorSeconds(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      ticks += Number(fields[11]) + Number(fields[12])
    } catch {
      return Number.NaN
    }
  }
  return ticks / CLOCK_TICKS_PER_SECOND
}

/** Processor time that all programs together have used, in seconds; NaN where not told. */
export function busySeconds(): number {
  try {
    const [first] = readFileSync('/proc/stat', 'utf8').split('\n')
    const [user = 0, nice = 0, system = 0, , , interrupt = 0, softInterrupt = 0, steal = 0] = (
      first ?? ''
    )
      .split(/\s+/)
      .slice(1)
      .map(Number)
    const ticks = user + nice + system + interrupt + softInterrupt + steal
    return ticks / CLOCK_TICKS_PER_SECOND
  } catch {
    // No /proc on this system.
    return Number.NaN
  }
}

/** Programs that want a processor, over the last minute; the bench's own among them. */
export function loadAverage(): number {
  return loadavg()[0] ?? Number.NaN
}

function output(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    // The command is missing here: the record says so by being empty.
    return ''
  }
}

function javaVersion(): string {
  const { stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return /version "([^"]+)"/.exec(stderr ?? '')?.[1] ?? ''
}

function zookeeperVersion(): string {
  const tool = zookeeperTool()
  if (tool.found === null) return ''
  return /zookeeper-(\d[\w.]*?)\.jar/.exec(tool.found.classPath)?.[1] ?? ''
}

/** The names of the JVM's and Node's settings that are in force. */
export function settingsInForce(): Readonly<Record<string, string>> {
  const names = ['JAVA_TOOL_OPTIONS', 'NODE_OPTIONS']
  const pairs = names.map((name) => [name, process.env[name] ?? ''] as const)
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''))
}

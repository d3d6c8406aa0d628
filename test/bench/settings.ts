import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { type LoadOperation, type LoadShape, loadOperations } from './load.ts'

export interface BenchSettings {
  readonly loads: readonly LoadShape[]
  readonly operations: readonly LoadOperation[]
  readonly rounds: number
  readonly measuredSeconds: number
  readonly warmUpSeconds: number
  /** Znodes of the memory part; 0 leaves it out. */
  readonly memoryZnodes: number
  readonly servers: readonly ServerName[]
  readonly directory: string
  readonly name: string
}

export const serverNames = ['quorate', 'zookeeper'] as const
export type ServerName = (typeof serverNames)[number]

export const usage = `npm run bench -- [options]
  --loads 1x1,100x1,20x32            sessions x outstanding requests of each
  --operations create,set,get,mixed  mixed is 70 % get and 30 % set
  --rounds 5                         each measures every server once per load and operation
  --seconds 3                        measured, per round, load and operation
  --warm-up 1                        seconds before each measurement
  --memory 100000                    znodes of the memory part; 0 leaves it out
  --servers quorate,zookeeper        one alone gives no ratios
  --directory <path>                 where the servers keep their data
  --name bench                       part of the name of the results file`

/** Reads the command line; throws, with what is wrong, at anything that is not understood. */
export function readSettings(args: readonly string[]): BenchSettings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      loads: { type: 'string', default: '1x1,100x1,20x32' },
      operations: { type: 'string', default: loadOperations.join(',') },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      'warm-up': { type: 'string', default: '1' },
      memory: { type: 'string', default: '100000' },
      servers: { type: 'string', default: serverNames.join(',') },
      directory: { type: 'string', default: tmpdir() },
      name: { type: 'string', default: 'bench' },
    },
  })
  return {
    loads: listOf(values.loads).map(loadOf),
    operations: listOf(values.operations).map((name) => oneOf(loadOperations, name)),
    rounds: numberOf('rounds', values.rounds),
    measuredSeconds: numberOf('seconds', values.seconds),
    warmUpSeconds: numberOf('warm-up', values['warm-up']),
    memoryZnodes: numberOf('memory', values.memory),
    servers: listOf(values.servers).map((name) => oneOf(serverNames, name)),
    directory: values.directory,
    name: values.name,
  }
}

export function nameOf(load: LoadShape): string {
  return `${load.sessions}x${load.outstanding}`
}

function listOf(text: string): string[] {
  return text.split(',').filter((part) => part !== '')
}

function loadOf(text: string): LoadShape {
  const match = /^([1-9]\d*)x([1-9]\d*)$/.exec(text)
  if (match === null) throw new Error(`--loads: ${text} is not sessions x outstanding, as 20x32`)
  return { sessions: Number(match[1]), outstanding: Number(match[2]) }
}

function oneOf<T extends string>(names: readonly T[], text: string): T {
  const name = names.find((known) => known === text)
  if (name === undefined) throw new Error(`${text} is none of ${names.join(', ')}`)
  return name
}

function numberOf(option: string, text: string): number {
  const value = Number(text)
  if (text === '' || !(value >= 0)) throw new Error(`--${option}: ${text} is no number from 0`)
  return value
}

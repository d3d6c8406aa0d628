import { Command, InvalidArgumentError, Option } from 'commander'
import { loadConfig } from '../config/config.ts'
import { Settings, settingNames } from '../config/schema.ts'
import { CodedError } from '../errors.ts'
import { runServer } from '../main.ts'
import { VERSION } from '../version.ts'
import { CommandFailure } from './command-failure.ts'
import { ensembleCommand } from './ensemble-command.ts'
import { kafkaCommand } from './kafka-command.ts'
import { runLocal } from './local.ts'
import { migrateCommand } from './migrate-command.ts'
import { zkCommand } from './zk-command.ts'

/** The `quorate` command. */
const program = new Command('quorate')
  .description('A coordination server: the ZooKeeper protocol and a key-value API over Raft')
  .version(VERSION)
  .enablePositionalOptions()

const serve = program
  .command('serve')
  .description('run one server in the foreground')
  .argument('[file]', 'a zoo.cfg, or settings in YAML or JSON')
  .action(async (file: string | undefined, flags: Record<string, unknown>) => {
    await runServer(loadConfig({ file, environment: process.env, flags }))
  })
for (const name of settingNames) {
  const { description } = Settings.properties[name] as { description?: string }
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const value = 'type' in Settings.properties[name] && Settings.properties[name].type === 'boolean'
  serve.addOption(new Option(`--${flag}${value ? '' : ' <value>'}`, description))
}

program
  .command('local')
  .description('run an ensemble on this machine, supervised')
  .option('--servers <count>', 'number of servers', integer(1, 9), 3)
  .option('--data <directory>', 'where the servers keep their data', './data')
  .option('--client-port <port>', 'ZooKeeper clients of the first server', port, 2181)
  .option('--http-port <port>', 'HTTP of the first server', port, 7777)
  .option('--peer-port <port>', 'peers of the first server', port, 2888)
  .option('--verbose', 'show what the servers log', false)
  .action(async (options) => {
    await runLocal(options)
  })

function integer(least: number, greatest: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= greatest) return value
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${greatest}.`)
  }
}

function port(text: string): number {
  return integer(1, 65_535)(text)
}

program.addCommand(zkCommand())
program.addCommand(ensembleCommand())
program.addCommand(migrateCommand())
program.addCommand(kafkaCommand())

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CodedError) {
    process.stderr.write(`quorate: ${error.code}: ${error.message}\n`)
    process.exit(error.exit)
  }
  if (!(error instanceof CommandFailure)) throw error
  process.stderr.write(`quorate: ${error.message}\n`)
  process.exit(1)
}

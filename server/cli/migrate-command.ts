import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { advertisedAddresses } from '../advertised-addresses.ts'
import { type Config, loadConfig } from '../config/config.ts'
import { CodedError } from '../errors.ts'
import { type MigrationOptions, migrate } from '../migrate/migration.ts'
import { NodeFileSystem } from '../storage/node-file-system.ts'

interface MigrateFlags {
  readonly from?: string
  readonly fromLog?: string
  readonly to?: string
  readonly toLog?: string
  readonly name?: string
}

const HELP = `
The file is the zoo.cfg of the ZooKeeper server whose data are brought over, with --to for where to; or
the configuration that this server will have, with --from for where from. It says who the server is and
where the others find it. Without one the server has the defaults, its QUORATE_ variables, and the
name in ZooKeeper's myid.

That server founds the new cluster; the others start with empty directories and join.`

/** `quorate migrate …`: ZooKeeper's snapshot and log become a data directory. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description("make a data directory from a stopped ZooKeeper server's snapshot and log")
    .argument('[file]', 'a zoo.cfg, or settings in YAML or JSON')
    .option('--from <directory>', "ZooKeeper's dataDir; it is only read")
    .option('--from-log <directory>', "ZooKeeper's dataLogDir, where it has one")
    .option('--to <directory>', 'the data directory to make: empty, or not there yet')
    .option('--to-log <directory>', 'where its log goes, if not there too')
    .option('--name <name>', 'stable name of the server, without a file')
    .addHelpText('after', HELP)
    .action(async (file: string | undefined, flags: MigrateFlags) => {
      const lines = await migrate(migrationOf(file, flags))
      for (const line of lines) process.stdout.write(`${line}\n`)
    })
}

/** What the file and the flags ask for together. Throws CONFIG_INVALID where they leave it open. */
export function migrationOf(file: string | undefined, flags: MigrateFlags): MigrationOptions {
  const unnamed = file === undefined && process.env['QUORATE_NAME'] === undefined
  const name = flags.name ?? (unnamed ? numberIn(flags.from) : null)
  const config = loadConfig({
    file,
    environment: process.env,
    flags: {
      ...(name === null ? {} : { name }),
      ...(file === undefined ? { bootstrap: true } : {}),
    },
  })
  const { settings } = config
  if (settings.observer) {
    throw invalid(
      `server ${settings.name} is an observer: migrate with the configuration of a voter`,
    )
  }
  const from = sourceOf(file, flags, config)
  return {
    fileSystem: new NodeFileSystem(),
    from,
    directories: targetOf(file, flags, config),
    founder: { name: settings.name, ...advertisedAddresses(settings) },
    numbered: numberIn(from.data) === settings.name,
    segmentBytes: settings.segmentBytes,
  }
}

function sourceOf(file: string | undefined, flags: MigrateFlags, { settings }: Config) {
  if (flags.from !== undefined) return { data: flags.from, log: flags.fromLog ?? flags.from }
  if (file === undefined || flags.to === undefined) {
    throw invalid(
      'say where from: --from DIRECTORY, or the zoo.cfg of ZooKeeper and --to DIRECTORY',
    )
  }
  const { dataDirectory, logDirectory } = settings
  return { data: dataDirectory, log: flags.fromLog ?? (logDirectory || dataDirectory) }
}

function targetOf(file: string | undefined, flags: MigrateFlags, { settings }: Config) {
  if (flags.to !== undefined) {
    return { data: flags.to, log: flags.toLog ?? flags.to, snapshots: flags.to }
  }
  if (file === undefined) throw invalid('say where to: --to DIRECTORY')
  const { dataDirectory, logDirectory, snapshotDirectory } = settings
  return {
    data: dataDirectory,
    log: flags.toLog ?? (logDirectory || dataDirectory),
    snapshots: snapshotDirectory || dataDirectory,
  }
}

/** The content of myid in ZooKeeper's directory; null without one. */
function numberIn(directory: string | undefined): string | null {
  if (directory === undefined) return null
  const path = join(directory, 'myid')
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : null
}

function invalid(message: string): CodedError {
  return new CodedError('CONFIG_INVALID', message)
}

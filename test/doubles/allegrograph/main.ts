import { mkdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { AgraphDouble } from './agraph-double.ts'
import { readConfiguration } from './configuration.ts'

/**
 * The double as a process: `--config agraph.cfg` as an AllegroGraph server has it, of which Port, SettingsDirectory,
 * SuperUser and the RootCatalog's Main mean the same; all else is taken and ignored. It stays in the foreground.
 */
const at = process.argv.indexOf('--config')
const path = process.argv[at + 1]
if (at < 0 || path === undefined) throw new Error('--config FILE is missing')
const configuration = readConfiguration(readFileSync(path, 'utf8'))
mkdirSync(configuration.catalog, { recursive: true })
const tell = (event: string) =>
  process.stdout.write(
    `${JSON.stringify({
      double: 'this is a double of AllegroGraph, not AllegroGraph',
      event,
      host: hostname(),
      port: configuration.port,
    })}\n`,
  )
const double = new AgraphDouble({
  ...configuration,
  host: '0.0.0.0',
  statusForm: process.env['DOUBLE_STATUS_FORM'] === 'table' ? 'table' : 'json',
  growMs: Number(process.env['DOUBLE_GROW_MS'] ?? 1_000),
  exchangeMs: 200,
  told: tell,
})
process.once('SIGTERM', () => {
  tell('stops')
  void double.stop().then(() => process.exit(0))
})
await double.start()
tell('listens')

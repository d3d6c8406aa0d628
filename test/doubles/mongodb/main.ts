import { existsSync, readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { MongodDouble } from './mongod-double.ts'

/**
 * The double as a process that is started as mongod is: `--replSet`, `--port`, `--dbpath`, `--keyFile`,
 * `--tlsCertificateKeyFile` and `--tlsCAFile` mean the same, and a key or a directory that mongod would not start
 * with ends it, too; all else of mongod's is taken and ignored.
 */
const words = process.argv.slice(2)
const argument = (flag: string, value = ''): string => {
  const at = words.indexOf(flag)
  return at < 0 ? value : (words[at + 1] ?? value)
}
const contentOf = (flag: string): string => {
  const path = argument(flag)
  return path === '' ? '' : readFileSync(path, 'utf8')
}
const fail = (what: string, code: number): never => {
  process.stderr.write(`double of mongod: ${what}\n`)
  process.exit(code)
}
const tls = () => ({
  pem: contentOf('--tlsCertificateKeyFile'),
  ca: contentOf('--tlsCAFile'),
})
const options = {
  replSet: argument('--replSet', 'rs0'),
  port: Number(argument('--port', '27017')),
  dbPath: argument('--dbpath', '/data/db'),
}
const keyFile = argument('--keyFile')
if (keyFile !== '' && (statSync(keyFile).mode & 0o077) !== 0) {
  fail(`permissions on ${keyFile} are too open`, 1)
}
if (!existsSync(options.dbPath)) fail(`data directory ${options.dbPath} not found`, 100)
const double = new MongodDouble({
  ...options,
  key: contentOf('--keyFile').trim(),
  tls: words.includes('--tlsCertificateKeyFile') ? tls() : null,
  renew: tls,
  shutdown: () => end(),
  host: '0.0.0.0',
  // MongoDB's: ten seconds, and up to 15% more. A heartbeat is more frequent than its two seconds: what a
  // member does not say by itself, as that its copy is done, is said by the next one.
  electionMs: 10_000,
  electionSpread: 0.15,
  heartbeatMs: 500,
  initialSyncMs: 1_000,
})
const tell = (event: string) =>
  process.stdout.write(
    `${JSON.stringify({ double: 'this is a double of mongod, not MongoDB', event, host: hostname(), ...options })}\n`,
  )
const end = () => {
  tell('stops')
  void double.kill().then(() => process.exit(0))
}
process.once('SIGTERM', end)
await double.start()
tell('listens')

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { MongodDouble } from './mongod-double.ts'

/**
 * The double as a process that is started as mongod is: `--replSet`, `--port`, `--dbpath`, `--keyFile`,
 * `--tlsCertificateKeyFile` and `--tlsCAFile` mean the same; all else of mongod's is taken and ignored.
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
const tls = () => ({
  pem: contentOf('--tlsCertificateKeyFile'),
  ca: contentOf('--tlsCAFile'),
})
const options = {
  replSet: argument('--replSet', 'rs0'),
  port: Number(argument('--port', '27017')),
  dbPath: argument('--dbpath', '/data/db'),
}
const double = new MongodDouble({
  ...options,
  key: contentOf('--keyFile').trim(),
  tls: words.includes('--tlsCertificateKeyFile') ? tls() : null,
  renew: tls,
  host: '0.0.0.0',
  // Between pods, whose network is slower than a loopback.
  heartbeatMs: 200,
  electionMs: 2_000,
  initialSyncMs: 1_000,
})
const tell = (event: string) =>
  process.stdout.write(
    `${JSON.stringify({ double: 'this is a double of mongod, not MongoDB', event, host: hostname(), ...options })}\n`,
  )
process.once('SIGTERM', () => {
  tell('stops')
  void double.kill().then(() => process.exit(0))
})
await double.start()
tell('listens')

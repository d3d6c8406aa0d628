import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ServerProcess } from '../support/processes.ts'
import { galeraTool, NOBODY } from '../support/toolchain.ts'

const script = fileURLToPath(new URL('../../charts/quorate/scripts/galera.sh', import.meta.url))

/** Ports of one member, on the loopback. */
export interface MemberPorts {
  readonly clients: number
  readonly replication: number
  readonly increments: number
  readonly copies: number
}

export interface MemberOptions {
  readonly name: string
  readonly directory: string
  readonly ports: MemberPorts
  readonly method: 'rsync' | 'mariabackup'
  /** Certificate, key and CA of the member; null: without TLS. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | null
}

/** Passwords of the users that a cluster begins with. */
export const passwords = {
  root: 'root of the tests',
  agent: 'agent’s \\ "password"',
  copy: 'copy-password',
} as const

/**
 * One real MariaDB: the script that the chart's pods run, with its paths in a directory of the test's own. Each start
 * waits for a line in the permit pipe, as in a pod.
 */
export class GaleraMember {
  readonly process: ServerProcess
  readonly volume: string
  readonly runDirectory: string
  readonly ports: MemberPorts
  readonly #options: MemberOptions

  constructor(options: MemberOptions) {
    this.#options = options
    const { name, directory, ports } = options
    this.ports = ports
    const here = (path: string) => join(directory, name, path)
    this.volume = here('volume')
    this.runDirectory = here('run')
    for (const path of ['volume', 'run', 'etc', 'secrets', 'bin']) {
      mkdirSync(here(path), { recursive: true })
      if (process.getuid?.() === 0) chownSync(here(path), NOBODY, NOBODY)
    }
    for (const [user, password] of Object.entries(passwords)) {
      writeFileSync(here(`secrets/${user}-password`), password)
    }
    writeFileSync(here('etc/my.cnf'), this.#settings(here('etc')))
    const functions = readFileSync(script, 'utf8')
      .replaceAll('/var/lib/mysql', this.volume)
      .replaceAll('/etc/quorate-secrets', here('secrets'))
      .replaceAll('/etc/quorate', here('etc'))
      .replaceAll('/run/quorate', this.runDirectory)
    const start = `set -euf
${functions}
recover_position
until IFS= read -r permit < ${this.permitPipe}; do sleep 1; done
echo "$(date +%s%3N) $permit" >> ${this.permits}
start_server $permit
`
    writeFileSync(here('start.sh'), start)
    const { found } = galeraTool()
    // The script of an unpacked package has to be told where it is.
    const installer = join(found?.base ?? '', 'bin', 'mariadb-install-db')
    const wrapper = `#!/bin/sh\nexec ${installer} "$@" --basedir=${found?.base}\n`
    writeFileSync(here('bin/mariadb-install-db'), wrapper, { mode: 0o755 })
    const env = { ...found?.env, POD_NAME: name, POD_IP: '127.0.0.1' }
    const settings = Object.entries(env).map(([key, value]) => `${key}=${value}`)
    // What was put there stands before what is installed.
    const path = `PATH=${here('bin')}:${found?.env['PATH']}`
    const environment = ['env', '-i', ...settings, path, `HOME=${here('run')}`]
    const [command = '', ...args] = [
      ...(found?.asUser ?? []),
      ...environment,
      ...['bash', here('start.sh')],
    ]
    this.process = new ServerProcess(name, command, args, here('mariadb.log'))
  }

  get permitPipe(): string {
    return join(this.runDirectory, 'permit')
  }

  get socket(): string {
    return join(this.runDirectory, 'mariadb.sock')
  }

  get passwordFile(): string {
    return join(this.volume, '..', 'secrets', 'agent-password')
  }

  /** A line for each permit that the container got. */
  get permits(): string {
    return join(this.runDirectory, 'permits.log')
  }

  get data(): string {
    return join(this.volume, 'data')
  }

  /** The uuid on the disk; '' before there is one. */
  uuid(): string {
    try {
      const text = readFileSync(join(this.data, 'grastate.dat'), 'utf8')
      return /^uuid:\s*(\S+)/m.exec(text)?.[1] ?? ''
    } catch {
      return ''
    }
  }

  /** SIGKILL for the server and all that it has started, at once. */
  async kill(): Promise<void> {
    for (const pid of this.#started()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    await this.process.signal('SIGKILL')
  }

  /** SIGTERM for the server, which stops in order; resolves when it is gone. */
  async terminate(): Promise<void> {
    await this.process.signal('SIGTERM')
  }

  /** The server, which has taken the place of the shell, and whoever copies for it: all name its directory. */
  #started(): number[] {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return pids
      .map(Number)
      .filter((pid) => pid !== process.pid && mentions(pid, join(this.volume, '..', '/')))
  }

  #settings(etc: string): string {
    const { ports, method, tls } = this.#options
    const { found } = galeraTool()
    const socketTls =
      tls === null
        ? []
        : [`socket.ssl_key=${tls.key}`, `socket.ssl_cert=${tls.cert}`, `socket.ssl_ca=${tls.ca}`]
    const provider = [
      `gmcast.listen_addr=tcp://127.0.0.1:${ports.replication}`,
      `ist.recv_addr=127.0.0.1:${ports.increments}`,
      'gcache.size=32M',
      'pc.recovery=false',
      'pc.wait_prim_timeout=PT15S',
      ...socketTls,
    ]
    const clientTls =
      tls === null
        ? []
        : [
            `ssl-cert = ${tls.cert}`,
            `ssl-key = ${tls.key}`,
            `ssl-ca = ${tls.ca}`,
            'require-secure-transport = ON',
          ]
    const copyTls =
      tls === null
        ? []
        : ['encrypt = 4', `tkey = ${tls.key}`, `tcert = ${tls.cert}`, `tca = ${tls.ca}`]
    return [
      '[mariadbd]',
      ...(found?.settings ?? []),
      `datadir = ${this.data}`,
      `tmpdir = ${join(this.volume, 'tmp')}`,
      `socket = ${this.socket}`,
      `pid-file = ${join(this.runDirectory, 'mariadb.pid')}`,
      `port = ${ports.clients}`,
      'bind-address = 127.0.0.1',
      'skip-name-resolve = ON',
      'binlog-format = ROW',
      'innodb-autoinc-lock-mode = 2',
      'innodb-buffer-pool-size = 32M',
      'innodb-log-file-size = 16M',
      'performance-schema = OFF',
      'plugin-load-add = wsrep_info',
      'wsrep-on = ON',
      `wsrep-provider = ${found?.provider}`,
      'wsrep-cluster-name = tests',
      `wsrep-sst-method = ${method}`,
      `wsrep-sst-receive-address = 127.0.0.1:${ports.copies}`,
      `wsrep-provider-options = "${provider.join(';')}"`,
      ...clientTls,
      '[sst]',
      'sst-syslog = -1',
      ...copyTls,
      `!include ${join(etc, '..', 'run', 'copy.cnf')}`,
      '',
    ].join('\n')
  }
}

function mentions(pid: number, directory: string): boolean {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return line.includes(directory) && !line.includes('quorate-agent')
  } catch {
    // It has just ended.
    return false
  }
}

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const IMAGE = 'localhost/quorate:e2e'
const NODES = 3

/**
 * A directory beside the repository with commands that make a cluster on this machine: `install`,
 * `up`, `down`, `status`, `env`, `build-image` and `load`.
 */
export class Testbed {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** The one that QUORATE_TESTBED names, else `../shared/testbed`, else null. */
  static find(): Testbed | null {
    const directory = resolve(process.env['QUORATE_TESTBED'] ?? '../shared/testbed')
    return existsSync(resolve(directory, 'up')) ? new Testbed(directory) : null
  }

  /** The one whose cluster this run is on, or null where that is another. */
  static ofThisRun(): Testbed | null {
    return process.env['TESTBED_RUN'] === undefined ? null : Testbed.find()
  }

  isUp(): boolean {
    return spawnSync(this.#command('status'), { stdio: 'ignore' }).status === 0
  }

  /** Brings the cluster up; where its programs were never built, that comes first (minutes). */
  up(): void {
    const status = spawnSync(this.#command('status'), { encoding: 'utf8' })
    if (status.stdout.includes('binaries: not installed')) this.#run('install')
    this.#run('up', '--nodes', String(NODES))
  }

  down(): void {
    this.#run('down')
  }

  /** Builds an image, of the repository unless another context is named, gives it to every node, and returns its name. */
  provideImage(name = IMAGE, context = '.'): string {
    // It looks for what it has built in a list that it stops reading, which now and then ends the lister
    // and is taken for an image that is not there; all layers are built then.
    const build = () =>
      spawnSync(this.#command('build-image'), [name, context], { stdio: 'inherit' })
    if (build().status !== 0) this.#run('build-image', name, context)
    this.#run('load', name)
    return name
  }

  /** Cuts or mends the cable of a node, `cp` being the one with the API server. */
  node(what: 'cut' | 'heal', name: string): void {
    this.#run('node', what, name)
  }

  /** What lets a command reach the API server of the cluster. */
  get reach(): string {
    return this.#command('run')
  }

  /** Lets kubectl and helm of this process, and of those that it starts, speak to the cluster. */
  enter(): void {
    const script = 'eval "$("$1")" && env -0'
    const { stdout, status } = spawnSync('bash', ['-c', script, '-', this.#command('env')], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`${this.#command('env')} failed`)
    for (const line of stdout.split('\0')) {
      const [, name, value] = /^(KUBECONFIG|PATH|TESTBED_\w+)=(.*)$/s.exec(line) ?? []
      if (name !== undefined && value !== undefined) process.env[name] = value
    }
    process.env['QUORATE_TESTBED'] = this.#directory
  }

  #command(name: string): string {
    return resolve(this.#directory, name)
  }

  #run(name: string, ...args: string[]): void {
    const { status } = spawnSync(this.#command(name), args, { stdio: 'inherit' })
    if (status !== 0) throw new Error(`${name} ${args.join(' ')} of the testbed failed`)
  }
}

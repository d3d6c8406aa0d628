import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { waitFor } from '../../support/wait-for.ts'
import { run } from './cluster.ts'

/** A target as `/api/v1/targets` tells of it. */
interface Target {
  readonly scrapePool: string
  readonly scrapeUrl: string
  readonly health: 'up' | 'down' | 'unknown'
  readonly lastError: string
  readonly labels: Readonly<Record<string, string>>
  readonly discoveredLabels: Readonly<Record<string, string>>
}

/** An alert as `/api/v1/rules` tells of it. */
interface Alert {
  readonly name: string
  readonly query: string
  readonly state: 'inactive' | 'pending' | 'firing'
  readonly health: 'ok' | 'err' | 'unknown'
  readonly lastError?: string
}

/** Prints what a URL answers; run where the URL can be reached. */
const GET = `fetch(process.argv[1], { signal: AbortSignal.timeout(10000) })
  .then((answer) => answer.text())
  .then((text) => process.stdout.write(text))`

const LISTENING = /msg="Listening on" address=(127\.0\.0\.1:\d+)/
const LOG_CHARS_MAX = 100_000

/** One process of Prometheus beside the cluster, in its network, with data of its own. */
export class Prometheus {
  readonly #directory = mkdtempSync(join(tmpdir(), 'quorate-prometheus-'))
  readonly #reach: string
  readonly #process: ChildProcess
  #log = ''

  /**
   * `program` is what runs, `reach` the command that lets it, and who asks it, into the network of
   * the cluster; `config` is the file of its configuration as a value, and `rules` that of its
   * rules, which `config` calls rules.yml.
   */
  constructor(program: string, reach: string, config: object, rules: object) {
    this.#reach = reach
    const file = join(this.#directory, 'prometheus.yml')
    writeFileSync(file, stringify(config))
    writeFileSync(join(this.#directory, 'rules.yml'), stringify(rules))
    const data = join(this.#directory, 'data')
    // Port 0: the system chooses one that is free in that network, and the log tells it.
    const args = [`--config.file=${file}`, `--storage.tsdb.path=${data}`]
    const listen = '--web.listen-address=127.0.0.1:0'
    this.#process = spawn(reach, [program, ...args, listen, '--log.level=info'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_CHARS_MAX)
    })
  }

  get log(): string {
    return this.#log
  }

  /** Resolves with the targets of the jobs named, by their URLs. */
  async targets(...jobs: string[]): Promise<readonly Target[]> {
    const { activeTargets } = await this.#ask<{ activeTargets: readonly Target[] }>(
      'targets?state=active',
    )
    return activeTargets
      .filter(({ scrapePool }) => jobs.includes(scrapePool))
      .sort((one, other) => one.scrapeUrl.localeCompare(other.scrapeUrl))
  }

  /** Resolves with the alerts of its rules. */
  async alerts(): Promise<readonly Alert[]> {
    const { groups } = await this.#ask<{ groups: readonly { rules: readonly Alert[] }[] }>(
      'rules?type=alert',
    )
    return groups.flatMap(({ rules }) => rules)
  }

  /** Resolves with the values of an instant query, by the series' labels. */
  async query(
    expression: string,
  ): Promise<readonly { readonly metric: Target['labels']; readonly value: number }[]> {
    const { result } = await this.#ask<{
      result: readonly { metric: Target['labels']; value: [number, string] }[]
    }>(`query?query=${encodeURIComponent(expression)}`)
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
  }

  /** Ends the process and removes its data. */
  async stop(): Promise<void> {
    const child = this.#process
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #ask<T>(path: string): Promise<T> {
    const address = await this.#address()
    const url = `http://${address}/api/v1/${path}`
    const answer = JSON.parse(await run(this.#reach, [process.execPath, '-e', GET, url])) as
      | { readonly status: 'success'; readonly data: T }
      | { readonly status: 'error'; readonly error: string }
    if (answer.status === 'error') throw new Error(`${path}: ${answer.error}`)
    return answer.data
  }

  async #address(): Promise<string> {
    const state = await waitFor('Prometheus listens', () => {
      const address = LISTENING.exec(this.#log)?.[1]
      return address !== undefined || this.#process.exitCode !== null ? { address } : null
    })
    if (state.address === undefined) throw new Error(`Prometheus has ended: ${this.#log}`)
    return state.address
  }
}

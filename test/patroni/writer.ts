import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { run } from '../conformance/clients/command.ts'
import { waitFor } from '../support/wait-for.ts'
import type { PatroniMembers } from './members.ts'

/** A program that writes numbers through whichever member takes writes, and what was acknowledged. */
export class Writer {
  readonly #members: PatroniMembers
  readonly #child: ChildProcess
  /** The numbers, and when the acknowledgement of each was there. */
  readonly acknowledged: { readonly number: number; readonly atMs: number }[] = []

  constructor(members: PatroniMembers) {
    this.#members = members
    const [command, args] = members.writer('0')
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [number, seconds] = line.split(' ').map(Number)
      this.acknowledged.push({ number: number ?? 0, atMs: 1_000 * (seconds ?? 0) })
    })
    this.#child = child
  }

  /** Resolves when `count` more numbers are acknowledged, with the milliseconds that took. */
  async goesOn(count: number, withinMs: number): Promise<number> {
    const from = this.acknowledged.length
    const startedAt = Date.now()
    const enough = () => this.acknowledged.length >= from + count
    await waitFor(`${count} more writes`, enough, withinMs)
    return Date.now() - startedAt
  }

  /** The longest time since `fromMs` between two acknowledgements that followed each other. */
  longestGapMs(fromMs: number): number {
    const times = [fromMs, ...this.acknowledged.map(({ atMs }) => atMs).filter((at) => at > fromMs)]
    return Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? at)))
  }

  /** Acknowledged numbers that are not there. */
  async lost(): Promise<number[]> {
    const expected = this.acknowledged.map(({ number }) => number)
    const [command, args] = this.#members.writer('read')
    const { code, stdout, stderr } = await run(command, args)
    if (code !== 0) throw new Error(stderr)
    const present = new Set(stdout.trim().split('\n').map(Number))
    return expected.filter((number) => !present.has(number))
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

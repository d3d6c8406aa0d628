import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { run } from '../conformance/clients/command.ts'
import { AcknowledgedNumbers } from '../support/acknowledged-numbers.ts'
import type { PatroniMembers } from './members.ts'

/** A program that writes numbers through whichever member takes writes, and what was acknowledged. */
export class Writer extends AcknowledgedNumbers {
  readonly #members: PatroniMembers
  readonly #child: ChildProcess

  constructor(members: PatroniMembers) {
    super()
    this.#members = members
    const [command, args] = members.writer('0')
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [number, seconds] = line.split(' ').map(Number)
      this.acknowledged.push({ number: number ?? 0, atMs: 1_000 * (seconds ?? 0) })
    })
    this.#child = child
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

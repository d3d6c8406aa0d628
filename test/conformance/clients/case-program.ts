import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const LOG_TAIL_CHARS = 8 * 1024

/** What is done when a case tells something, before it goes on. */
export type Answers = Readonly<Record<string, (argument: string) => Promise<void>>>

/**
 * A program that is asked for cases, a line each, on its standard input. It answers `> TELLS ARGUMENT`,
 * and waits for a line, or ends the case with `= passed` or `= failed WHY`.
 */
export class CaseProgram {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #stderr = ''

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: 'pipe' })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-LOG_TAIL_CHARS)
    })
    // A program that died is told of by the end of its output.
    this.#child.stdin.on('error', () => undefined)
  }

  /** Resolves when the case passed, and rejects with its reason when it failed. */
  async run(line: string, answers: Answers = {}): Promise<void> {
    this.#child.stdin.write(`${line}\n`)
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw new Error(`${line}: the program ended\n${this.#stderr}`)
      const [mark, word = '', ...rest] = value.split(' ')
      if (mark === '=' && word === 'passed') return
      if (mark === '=') throw new Error(`${line}: ${rest.join(' ')}\n${this.#stderr}`)
      const answer = mark === '>' ? answers[word] : undefined
      if (answer === undefined) throw new Error(`${line}: unexpected ${value}`)
      await answer(rest.join(' '))
      this.#child.stdin.write('\n')
    }
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

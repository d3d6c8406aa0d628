import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { LoadAnswer, LoadFigures, LoadJob } from './load.ts'

/** The load generator's process, bundled first so that it runs as plain JavaScript. */
export class GeneratorProcess {
  readonly #directory: string
  readonly #child: ChildProcess

  private constructor(directory: string, child: ChildProcess) {
    this.#directory = directory
    this.#child = child
  }

  static async start(): Promise<GeneratorProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-load-'))
    const bundle = join(directory, 'load-generator.mjs')
    await build({
      entryPoints: [fileURLToPath(new URL('load-generator.ts', import.meta.url))],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'warning',
    })
    return new GeneratorProcess(directory, fork(bundle, { execArgv: [] }))
  }

  /** Does one job; rejects when a reply was wrong or never came. */
  perform(job: LoadJob): Promise<LoadFigures | null> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('the load generator ended'))
      this.#child.once('exit', gone)
      this.#child.once('message', (answer: LoadAnswer) => {
        this.#child.off('exit', gone)
        if (answer.kind === 'done') resolve(answer.figures)
        else reject(new Error(answer.reason))
      })
      this.#child.send(job)
    })
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

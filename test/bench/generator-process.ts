import { fileURLToPath } from 'node:url'
import { BundledProcess } from '../support/bundled-process.ts'
import type { LoadAnswer, LoadFigures, LoadJob } from './load.ts'

/** The load generator's process, bundled first so that it runs as plain JavaScript. */
export class GeneratorProcess {
  readonly #process: BundledProcess

  private constructor(process: BundledProcess) {
    this.#process = process
  }

  static async start(): Promise<GeneratorProcess> {
    const entry = fileURLToPath(new URL('load-generator.ts', import.meta.url))
    return new GeneratorProcess(await BundledProcess.start(entry))
  }

  /** Does one job; rejects when a reply was wrong or never came. */
  perform(job: LoadJob): Promise<LoadFigures | null> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('the load generator ended'))
      this.#process.child.once('exit', gone)
      this.#process.child.once('message', (answer: LoadAnswer) => {
        this.#process.child.off('exit', gone)
        if (answer.kind === 'done') resolve(answer.figures)
        else reject(new Error(answer.reason))
      })
      this.#process.child.send(job)
    })
  }

  stop(): void {
    this.#process.stop()
  }
}

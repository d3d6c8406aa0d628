import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'

/** A process of a test's own that runs one of its modules, bundled first: as plain JavaScript. */
export class BundledProcess {
  readonly child: ChildProcess
  readonly #directory: string

  private constructor(directory: string, child: ChildProcess) {
    this.#directory = directory
    this.child = child
  }

  static async start(entry: string): Promise<BundledProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-bundled-'))
    const bundle = join(directory, 'bundle.mjs')
    await build({
      entryPoints: [entry],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'warning',
    })
    return new BundledProcess(directory, fork(bundle, { execArgv: [] }))
  }

  /** Ends a process that ends when nobody is there to order anything. */
  stop(): void {
    if (this.child.connected) this.child.disconnect()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

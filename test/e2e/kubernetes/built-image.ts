import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { Testbed } from './testbed.ts'

/** An image `REGISTRY/REPOSITORY:TAG` as the values of the chart that stand at `key`. */
export function valuesOfImage(image: string, key: string): string[] {
  const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/(.+):([^:/]+)$/.exec(image) ?? []
  return Object.entries({ registry, repository, tag }).flatMap(([part, value]) => [
    '--set-string',
    `${key}.${part}=${value}`,
  ])
}

/** An image that a testbed builds of what is in the repository, unless a variable names one that nodes can pull. */
export class BuiltImage {
  readonly #variable: string
  readonly #name: string

  constructor(variable: string, name: string) {
    this.#variable = variable
    this.#name = process.env[variable] ?? name
  }

  /** As the values of the chart that stand at `key`. */
  values(key: string): string[] {
    return valuesOfImage(this.#name, key)
  }

  /** Gives it to every node, built of a directory, unless they can pull it. */
  provide(context: string): void {
    this.#builder()?.provideImage(this.#name, context)
  }

  /** The same of a folder in `test/doubles`: its program as one file, and other files as they are. */
  provideDouble(double: string, program: string, files: readonly string[]): void {
    const testbed = this.#builder()
    if (testbed === null) return
    const folder = fileURLToPath(new URL(`../../doubles/${double}`, import.meta.url))
    const context = mkdtempSync(join(tmpdir(), `quorate-${double}-double-`))
    try {
      buildSync({
        entryPoints: [join(folder, 'main.ts')],
        outfile: join(context, program),
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node20',
      })
      for (const file of files) copyFileSync(join(folder, file), join(context, file))
      testbed.provideImage(this.#name, context)
    } finally {
      rmSync(context, { recursive: true })
    }
  }

  /** Null where there is nothing to build. */
  #builder(): Testbed | null {
    if (process.env[this.#variable] !== undefined) return null
    const testbed = Testbed.find()
    if (testbed === null) {
      throw new Error(`${this.#variable} has to name an image: no testbed is here that builds one`)
    }
    return testbed
  }
}

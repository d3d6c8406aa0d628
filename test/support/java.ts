import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheDirectory, runs, type Tool } from './toolchain.ts'

/** Java with its compiler, and the jars of one part of `.ci/install`. */
export interface JavaTool {
  readonly java: string
  readonly javac: string
  readonly jars: string
}

export function javaTool(part: 'java-clients' | 'kafka' | 'kafka-4'): Tool<JavaTool> {
  if (!runs('javac', '-version')) {
    return { found: null, reason: 'a Java compiler is missing: no javac in PATH' }
  }
  const directory = join(cacheDirectory(), part)
  if (!existsSync(join(directory, '.made-from'))) {
    const why = runs('mvn', '-version') ? `run .ci/install ${part}` : 'Maven (mvn) is missing'
    return { found: null, reason: `${part} is not installed: ${why}` }
  }
  return { found: { java: 'java', javac: 'javac', jars: join(directory, '*') } }
}

/** Options of a JVM that lives for seconds beside others, on few cores and little memory. */
export const SMALL_JVM = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m'] as const

/** The class path of a folder under `test`, compiled into a temporary directory that goes at exit. */
export function compile({ javac, jars }: JavaTool, folder: string): string {
  const sources = fileURLToPath(new URL(`../${folder}`, import.meta.url))
  const classes = mkdtempSync(join(tmpdir(), 'quorate-classes-'))
  process.once('exit', () => rmSync(classes, { recursive: true, force: true }))
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.java'))
    .map((name) => join(sources, name))
  const { status, stderr } = spawnSync(javac, ['-d', classes, '-cp', jars, ...files], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${folder} does not compile:\n${stderr}`)
  // What we compiled comes first: some of it stands in the place of a class of the jars.
  return [classes, jars].join(delimiter)
}

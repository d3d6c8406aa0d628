import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile, javaTool, SMALL_JVM } from '../../support/java.ts'
import { logback } from '../clients/zk-cli.ts'
import type { PublishedClass } from './classes.ts'

const bundle = fileURLToPath(new URL('../../../dist/quorate.js', import.meta.url))
const CLASS_WITHIN_MS = 600_000
const LOG_TAIL_CHARS = 4 * 1024

export interface PublishedResult {
  readonly test: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly why: string
}

/** The class path of the published suites, where what starts their servers starts Quorate. */
export function publishedClassPath(): string {
  const tool = javaTool('java-clients')
  if (tool.found === null) throw new Error(tool.reason)
  return compile(tool.found, 'conformance/java/suites')
}

/**
 * Runs one class of a published suite as it is, in a JVM of its own, as its project does; every server
 * that it asks for is a Quorate process. A JVM that ends without a result is a failure.
 */
export async function runPublished(
  classPath: string,
  { name, except = {} }: PublishedClass,
): Promise<readonly PublishedResult[]> {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-published-'))
  const serverLog = join(directory, 'servers.log')
  try {
    const properties = {
      'quorate.node': process.execPath,
      'quorate.bundle': bundle,
      'quorate.log': serverLog,
      'logback.configurationFile': logback,
      'java.io.tmpdir': directory,
      'build.test.dir': directory,
      'zookeeper.serverCnxnFactory': 'quorate.test.QuorateCnxnFactory',
      // The superuser super:test, whom ZooKeeper's tests take for granted.
      'zookeeper.DigestAuthenticationProvider.superDigest': 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=',
    }
    const { stdout, stderr } = await ended([
      ...SMALL_JVM,
      ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`),
      ...['-cp', classPath, 'quorate.test.Suites', name, ...Object.keys(except)],
    ])
    const results = resultsOf(stdout)
    if (results.length > 0) return results
    return [{ test: name, outcome: 'failed', why: `no result: ${stderr}${tailOf(serverLog)}` }]
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

function resultsOf(output: string): PublishedResult[] {
  const lines = output.matchAll(/^RESULT (passed|failed|skipped) (\S+) \d+ (.*)$/gm)
  return [...lines].map(([, outcome, test = '', why = '']) => ({
    test,
    outcome: outcome as PublishedResult['outcome'],
    why,
  }))
}

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-LOG_TAIL_CHARS)
  } catch {
    return ''
  }
}

function ended(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('java', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    // SIGTERM: the servers end with the JVM.
    const late = setTimeout(() => child.kill(), CLASS_WITHIN_MS)
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-LOG_TAIL_CHARS)
    })
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(late)
      resolve({ stdout, stderr })
    })
  })
}

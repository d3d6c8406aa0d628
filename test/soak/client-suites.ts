import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../conformance/clients/command.ts'
import { goTool, kazooSuiteTool } from '../support/toolchain.ts'

const WITHIN_MS = 3_600_000
/** Above the ports of the other tests, and below those of outgoing connections. */
const KAZOO_FIRST_PORT = '31000'
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const STAND_INS = path('../conformance/clients/stand-ins')
const ENVIRONMENT = {
  QUORATE_BUNDLE: path('../../dist/quorate.js'),
  QUORATE_NODE: process.execPath,
}

interface SuiteResult {
  readonly passed: boolean
  readonly passes: number
  readonly skips: number
  readonly failures: readonly string[]
}

/**
 * The suites that go-zookeeper/zk and kazoo publish of themselves, as they are: what they start as
 * ZooKeeper is Quorate, with the zoo.cfg that they write.
 */
export async function clientSuites() {
  const suites = { go: await goPublished(), kazoo: await kazooPublished() }
  return { passed: suites.go.passed && suites.kazoo.passed, suites }
}

async function goPublished(): Promise<SuiteResult> {
  const tool = goTool()
  if (tool.found === null) throw new Error(tool.reason)
  const options = ['test', '-timeout', '30m', '-count=1', '-json']
  const { code, stdout } = await run(tool.found.go, [...options, 'github.com/go-zookeeper/zk'], {
    cwd: path('../conformance/clients/go'),
    env: { ...ENVIRONMENT, ZOOKEEPER_BIN_PATH: STAND_INS },
    withinMs: WITHIN_MS,
  })
  const events = stdout.split('\n').filter((line) => line.startsWith('{'))
  const ends = events
    .map((line) => JSON.parse(line) as { readonly Action: string; readonly Test?: string })
    .filter(({ Test: test }) => test !== undefined)
  const named = (action: string) =>
    ends.filter((end) => end.Action === action).map((end) => end.Test ?? '')
  return resultOf(code, named('pass').length, named('skip').length, named('fail'))
}

async function kazooPublished(): Promise<SuiteResult> {
  const tool = kazooSuiteTool()
  if (tool.found === null) throw new Error(tool.reason)
  const directory = mkdtempSync(join(tmpdir(), 'quorate-kazoo-suite-'))
  try {
    const options = ['-q', '-rA', '--timeout', '120', '--tb=no', '-p', 'no:cacheprovider']
    const args = ['-m', 'pytest', ...options, '--pyargs', 'kazoo.tests']
    const { code, stdout } = await run(tool.found.python, args, {
      cwd: directory,
      env: {
        ...ENVIRONMENT,
        PATH: `${STAND_INS}${delimiter}${process.env['PATH'] ?? ''}`,
        ZOOKEEPER_VERSION: '3.9.5',
        ZOOKEEPER_CLASSPATH: 'none',
        ZOOKEEPER_PORT_OFFSET: KAZOO_FIRST_PORT,
      },
      withinMs: WITHIN_MS,
    })
    const named = (word: string) =>
      [...stdout.matchAll(new RegExp(`^${word} (\\S+)`, 'gm'))].map(([, name]) => name ?? '')
    const failures = [...named('FAILED'), ...named('ERROR')]
    return resultOf(code, named('PASSED').length, named('SKIPPED').length, failures)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function resultOf(
  code: number | null,
  passes: number,
  skips: number,
  failures: readonly string[],
): SuiteResult {
  return { passed: code === 0 && failures.length === 0 && passes > 0, passes, skips, failures }
}

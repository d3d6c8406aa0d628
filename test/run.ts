import { readdirSync } from 'node:fs'
import type { TestCase, TestModule, TestSuite } from 'vitest/node'
import { startVitest } from 'vitest/node'

/**
 * `npm test`: builds, then runs every project that has test files, one after the other, and sums
 * them up. The last line is `N passed, N failed, N skipped`; the exit code is 0 when nothing failed.
 */
const PROJECTS = ['unit', 'scenario', 'simulation', 'conformance', 'chart', 'e2e'] as const

interface Sum {
  passed: number
  failed: number
  skipped: number
  /** One line per thing that failed. */
  readonly failures: string[]
  /** One line per suite or test that was skipped; its title holds the reason. */
  readonly skips: string[]
}

const sum: Sum = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] }

function fail(what: string): void {
  sum.failed += 1
  sum.failures.push(what)
}

/** Counts one file. An error outside a test, as in a hook or an import, counts as a failure. */
function countModule(project: string, module: TestModule): void {
  const place = `${project} ${module.relativeModuleId}`
  const failedBefore = sum.failed
  for (const error of module.errors()) fail(`${place}: ${error.message}`)
  for (const suite of module.children.allSuites()) {
    for (const error of suite.errors()) fail(`${place} > ${suite.fullName}: ${error.message}`)
  }
  const skips = new Map<string, number>()
  for (const test of module.children.allTests()) countTest(place, test, skips)
  for (const [title, count] of skips) {
    sum.skips.push(`${place} > ${title}${count > 1 ? ` (${count} tests)` : ''}`)
  }
  if (sum.failed === failedBefore && !module.ok()) fail(`${place} failed outside its tests`)
}

function countTest(place: string, test: TestCase, skips: Map<string, number>): void {
  const result = test.result()
  switch (result.state) {
    case 'passed':
      sum.passed += 1
      return
    case 'failed':
      fail(`${place} > ${test.fullName}`)
      return
    case 'skipped': {
      const title = skippedSuite(test) ?? test.fullName
      countSkip(result.note === undefined ? title : `${title}: ${result.note}`, skips)
      return
    }
    case 'pending': {
      // Vitest leaves the tests of a skipped suite within a skipped suite like this.
      const suite = skippedSuite(test)
      if (suite === null) fail(`${place} > ${test.fullName}: it never ended`)
      else countSkip(suite, skips)
    }
  }
}

function countSkip(title: string, skips: Map<string, number>): void {
  sum.skipped += 1
  skips.set(title, (skips.get(title) ?? 0) + 1)
}

/** The name of the outermost suite around a test that is skipped as a whole, if there is one. */
function skippedSuite(test: TestCase): string | null {
  let title: string | null = null
  for (let at: TestCase | TestSuite = test; at.parent.type === 'suite'; at = at.parent) {
    if (at.parent.options.mode === 'skip') title = at.parent.fullName
  }
  return title
}

async function runProject(project: string): Promise<void> {
  let ended = false
  const vitest = await startVitest(
    'test',
    [],
    {
      run: true,
      watch: false,
      project: [project],
      reporters: [
        'default',
        {
          onTestRunEnd(modules, unhandledErrors, reason) {
            ended = true
            const failedBefore = sum.failed
            for (const module of modules) countModule(project, module)
            for (const error of unhandledErrors) fail(`${project}: unhandled: ${error.message}`)
            if (modules.length === 0) fail(`${project}: no file of it ran`)
            if (reason !== 'passed' && sum.failed === failedBefore) fail(`${project}: ${reason}`)
          },
        },
      ],
    },
    {},
  )
  await vitest.close()
  if (!ended) fail(`${project}: its run ended without a result`)
}

const hasTests = (project: string) =>
  readdirSync(`test/${project}`, { recursive: true }).some((name) =>
    String(name).endsWith('.test.ts'),
  )

// A run that dies on its way must not look like a success.
process.exitCode = 1
try {
  await import('../build.ts')
} catch (error) {
  fail(`build: ${String(error)}`)
}
const named = process.argv.slice(2)
for (const project of PROJECTS) {
  if (named.length > 0 && !named.includes(project)) continue
  if (!hasTests(project)) {
    console.log(`\n=== ${project}: there are no tests yet`)
    continue
  }
  console.log(`\n=== ${project}`)
  await runProject(project).catch((error: unknown) => fail(`${project}: ${String(error)}`))
}
for (const line of sum.skips) console.log(`skipped: ${line}`)
for (const line of sum.failures) console.log(`failed: ${line}`)
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exit(sum.failed === 0 ? 0 : 1)

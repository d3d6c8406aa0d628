import { readdirSync } from 'node:fs'
import { startVitest } from 'vitest/node'
import { RunSummary } from './support/run-summary.ts'

/**
 * `npm test`: builds, then runs every project that has test files, one after the other, and sums
 * them up. The last line is `N passed, N failed, N skipped`; the exit code is 0 when nothing failed.
 * What needs a Kubernetes cluster is `npm run e2e`.
 */
const PROJECTS = ['unit', 'scenario', 'simulation', 'conformance', 'chart', 'e2e', 'load'] as const

const summary = new RunSummary()

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
            summary.countRun(project, modules, unhandledErrors, reason)
          },
        },
      ],
    },
    {},
  )
  await vitest.close()
  if (!ended) summary.fail(`${project}: its run ended without a result`)
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
  summary.fail(`build: ${String(error)}`)
}
const named = process.argv.slice(2)
for (const project of PROJECTS) {
  if (named.length > 0 && !named.includes(project)) continue
  if (!hasTests(project)) {
    console.log(`\n=== ${project}: there are no tests yet`)
    continue
  }
  console.log(`\n=== ${project}`)
  await runProject(project).catch((error: unknown) => summary.fail(`${project}: ${String(error)}`))
}
summary.print()
process.exit(summary.failed === 0 ? 0 : 1)

import { readdirSync } from 'node:fs'
import { startVitest } from 'vitest/node'
import { RunSummary } from '../../support/run-summary.ts'
import { NEEDS, prepare } from './prepare.ts'

/**
 * `npm run e2e [-- NAME…]`: the tests on a real cluster, all of them or those of the files named
 * (`smoke`, `scale`, …). The cluster is the one that the current kubeconfig reaches, with the image
 * that QUORATE_E2E_IMAGE names; else a testbed's, brought up here if it is not up. The last line is
 * `N passed, N failed, N skipped`; exit code 2 says that there is no cluster.
 */
const DIRECTORY = 'test/e2e/kubernetes'

async function runFiles(files: readonly string[], summary: RunSummary): Promise<void> {
  let ended = false
  const vitest = await startVitest(
    'test',
    [],
    {
      config: false,
      run: true,
      watch: false,
      include: [...files],
      fileParallelism: false,
      testTimeout: 600_000,
      hookTimeout: 300_000,
      reporters: [
        'verbose',
        {
          onTestRunEnd(modules, unhandledErrors, reason) {
            ended = true
            summary.countRun('kubernetes', modules, unhandledErrors, reason)
          },
        },
      ],
    },
    {},
  )
  await vitest.close()
  if (!ended) summary.fail('kubernetes: the run ended without a result')
}

// A run that dies on its way must not look like a success.
process.exitCode = 1
const summary = new RunSummary()
const named = process.argv.slice(2)
const files = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => named.length === 0 || named.includes(file.replace('.test.ts', '')))
  .map((file) => `${DIRECTORY}/${file}`)
if (files.length < named.length) throw new Error(`there is no file for one of ${named.join(' ')}`)

const cluster = prepare()
if (cluster === null) {
  console.log(NEEDS)
  process.exit(2)
}
try {
  await runFiles(files, summary)
} catch (error) {
  summary.fail(`kubernetes: ${String(error)}`)
} finally {
  cluster.end()
}
summary.print()
process.exit(summary.failed === 0 ? 0 : 1)

import { publishedClasses } from '../conformance/published/classes.ts'
import {
  type PublishedResult,
  publishedClassPath,
  runPublished,
} from '../conformance/published/run.ts'

/**
 * The suites that Curator and ZooKeeper publish of themselves, against Quorate. A class of which
 * something failed is run again, as in Curator's own build: its tests wait for fixed times. What fails
 * twice has failed, and what failed once is told.
 */
export async function javaSuites() {
  const classPath = publishedClassPath()
  const failures: { readonly test: string; readonly why: string }[] = []
  const failedOnce: string[] = []
  let passes = 0
  let skips = 0
  for (const each of publishedClasses) {
    const first = await runPublished(classPath, each)
    const again = first.some(hasFailed) ? await runPublished(classPath, each) : first
    const twice = new Set(again.filter(hasFailed).map(({ test }) => test))
    for (const { test, outcome, why } of first) {
      if (outcome === 'passed') passes += 1
      else if (outcome === 'skipped') skips += 1
      else if (twice.has(test)) failures.push({ test, why: why.slice(0, 500) })
      else failedOnce.push(test)
    }
    console.log(`${each.name}: ${passes} passed so far, ${failures.length} failed`)
  }
  const classes = publishedClasses.length
  return { passed: failures.length === 0, classes, passes, skips, failedOnce, failures }
}

const hasFailed = ({ outcome }: PublishedResult) => outcome === 'failed'

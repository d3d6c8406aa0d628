import { stripVTControlCharacters } from 'node:util'
import type { TestCase, TestModule, TestSuite } from 'vitest/node'

/** So much of what a test said is repeated under its name: enough to tell one cause from another. */
const REASON_LINES_MAX = 12
const REASON_COLUMNS_MAX = 300

/**
 * What a run of one or more projects came to. An error outside a test, as in a hook or an import,
 * counts as a failure, and so does a file of which nothing ran.
 */
export class RunSummary {
  passed = 0
  skipped = 0
  /** For each thing that failed its name in one line, and what it said in more. */
  readonly failures: string[] = []
  /** One line per suite or test that was skipped; its title holds the reason. */
  readonly skips: string[] = []

  get failed(): number {
    return this.failures.length
  }

  fail(what: string): void {
    this.failures.push(what)
  }

  /** Prints what was skipped and what failed, and last `N passed, N failed, N skipped`. */
  print(): void {
    for (const line of this.skips) console.log(`skipped: ${line}`)
    for (const line of this.failures) console.log(`failed: ${line}`)
    console.log(`${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`)
  }

  /** Counts one ended run of a project. */
  countRun(
    project: string,
    modules: readonly TestModule[],
    unhandledErrors: readonly { readonly message: string }[],
    reason: string,
  ): void {
    const failedBefore = this.failed
    for (const module of modules) this.#countModule(project, module)
    for (const error of unhandledErrors) this.fail(`${project}: unhandled: ${error.message}`)
    if (modules.length === 0) this.fail(`${project}: no file of it ran`)
    if (reason !== 'passed' && this.failed === failedBefore) this.fail(`${project}: ${reason}`)
  }

  #countModule(project: string, module: TestModule): void {
    const place = `${project} ${module.relativeModuleId}`
    const failedBefore = this.failed
    for (const error of module.errors()) this.fail(`${place}: ${error.message}`)
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) {
        this.fail(`${place} > ${suite.fullName}: ${error.message}`)
      }
    }
    const skips = new Map<string, number>()
    for (const test of module.children.allTests()) this.#countTest(place, test, skips)
    for (const [title, count] of skips) {
      this.skips.push(`${place} > ${title}${count > 1 ? ` (${count} tests)` : ''}`)
    }
    if (this.failed === failedBefore && !module.ok()) this.fail(`${place} failed outside its tests`)
  }

  #countTest(place: string, test: TestCase, skips: Map<string, number>): void {
    const result = test.result()
    switch (result.state) {
      case 'passed':
        this.passed += 1
        return
      case 'failed':
        this.fail([`${place} > ${test.fullName}`, ...reasonsOf(result.errors)].join('\n'))
        return
      case 'skipped': {
        const title = skippedSuite(test) ?? test.fullName
        this.#countSkip(result.note === undefined ? title : `${title}: ${result.note}`, skips)
        return
      }
      case 'pending': {
        // Vitest leaves the tests of a skipped suite within a skipped suite like this.
        const suite = skippedSuite(test)
        if (suite === null) this.fail(`${place} > ${test.fullName}: it never ended`)
        else this.#countSkip(suite, skips)
      }
    }
  }

  #countSkip(title: string, skips: Map<string, number>): void {
    this.skipped += 1
    skips.set(title, (skips.get(title) ?? 0) + 1)
  }
}

/** What the errors of a test said, and of a comparison what differs, shortened. */
function reasonsOf(errors: readonly { readonly message: string; readonly diff?: string }[]) {
  return errors
    .flatMap(({ message, diff = '' }) => {
      const said = stripVTControlCharacters(message).split('\n')
      const differs = stripVTControlCharacters(diff).split('\n')
      return [...said, ...differs.filter((line) => /^[+-] /.test(line))]
    })
    .slice(0, REASON_LINES_MAX)
    .map((line) => `  ${line.slice(0, REASON_COLUMNS_MAX)}`)
}

/** The name of the outermost suite around a test that is skipped as a whole, if there is one. */
function skippedSuite(test: TestCase): string | null {
  let title: string | null = null
  for (let at: TestCase | TestSuite = test; at.parent.type === 'suite'; at = at.parent) {
    if (at.parent.options.mode === 'skip') title = at.parent.fullName
  }
  return title
}

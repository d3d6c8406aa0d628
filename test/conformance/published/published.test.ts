import { describe, expect, it } from 'vitest'
import { javaTool } from '../../support/java.ts'
import { titleOf } from '../../support/toolchain.ts'
import { shortClasses } from './classes.ts'
import { type PublishedResult, publishedClassPath, runPublished } from './run.ts'

const tool = javaTool('java-clients')

describe.skipIf(tool.found === null)(titleOf('published suites against Quorate', tool), () => {
  let classPath: string | undefined

  it.each(shortClasses.map((each) => [each.name, each] as const))(
    '%s',
    async (_, each) => {
      classPath ??= publishedClassPath()
      const results = await runPublished(classPath, each)
      const failed = results.filter(({ outcome }: PublishedResult) => outcome !== 'passed')
      expect(failed).toEqual([])
      expect(results.length).toBeGreaterThan(0)
    },
    240_000,
  )
})

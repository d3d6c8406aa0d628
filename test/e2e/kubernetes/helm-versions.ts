import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from '../../support/toolchain.ts'
import { Testbed } from './testbed.ts'

/** Helm 4: the program that HELM4 names, else the one in the cache of the tests. */
const helm4 = process.env['HELM4'] ?? join(cacheDirectory(), 'helm4', 'helm')
const missing = existsSync(helm4) ? null : 'it is missing: name it in HELM4'
const testbed = Testbed.ofThisRun()
const reach = testbed === null ? [] : [testbed.reach]

/** Every version of helm that the chart is for: its command, and why there is none, if so. */
export const helmVersions: readonly {
  readonly version: string
  readonly command: readonly string[]
  readonly missing: string | null
}[] = [
  { version: 'helm 3', command: ['helm'], missing: null },
  { version: 'helm 4', command: [...reach, helm4], missing },
]

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { titleOf, zookeeperTool } from '../../support/toolchain.ts'
import { campaign } from './campaign.ts'
import { stages } from './stage.ts'
import { wantedNames } from './wanted.ts'

const tool = zookeeperTool()

describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper and Quorate', tool), () => {
  it('show the same for the same requests', async () => {
    const {
      differences,
      operations,
      stages: met,
    } = await campaign({
      // One seed or more for each of the stages.
      from: 5,
      to: 9,
      operations: 200,
      keepGoing: false,
      report: () => undefined,
    })
    expect(differences).toEqual([])
    expect(Object.keys(met)).toEqual(stages.map(({ name }) => name))
    expect(operations).toBeGreaterThanOrEqual(1_000)
  }, 300_000)
})

describe('docs/compatibility.md', () => {
  it('lists the differences that the fuzzer allows, and no other', () => {
    const page = readFileSync('docs/compatibility.md', 'utf8')
    const [section = ''] = (page.split('## What the differential fuzzer allows')[1] ?? '').split(
      '\n## ',
    )
    const listed = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name)
    expect(listed.sort()).toEqual([...wantedNames].sort())
  })
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { titleOf, zookeeperTool } from '../../support/toolchain.ts'
import { campaign } from './campaign.ts'
import { wantedNames } from './wanted.ts'

const tool = zookeeperTool()

describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper and Quorate', tool), () => {
  it('show the same for the same requests', async () => {
    const { differences, operations } = await campaign({
      from: 1,
      to: 6,
      operations: 300,
      keepGoing: false,
      report: () => undefined,
    })
    expect(differences).toEqual([])
    expect(operations).toBeGreaterThanOrEqual(1_800)
  })
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

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { titleOf, zookeeperTool } from '../../support/toolchain.ts'
import { campaign } from './campaign.ts'
import { wantedNames } from './wanted.ts'

const tool = zookeeperTool()

describe.skipIf(tool.found === null)(titleOf('Apache ZooKeeper and Quorate', tool), () => {
  it('show the same for the same requests', async () => {
    const {
      differences,
      operations,
      stages: met,
    } = await campaign({
      // Seeds of both stages with one server of each kind; three of each are left to the soak.
      from: 7,
      to: 9,
      operations: 300,
      keepGoing: false,
      report: () => undefined,
    })
    expect(differences).toEqual([])
    expect(Object.keys(met)).toEqual(['alone', 'reaper'])
    expect(operations).toBeGreaterThanOrEqual(900)
  }, 300_000)
})

describe('docs/compatibility.md', () => {
  const page = readFileSync('docs/compatibility.md', 'utf8')
  const names = (heading: string): string[] => {
    const section = page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
    return [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name ?? '')
  }
  const allowed = names('What the differential fuzzer allows')
  const unsent = names('What the differential fuzzer does not send')

  it('lists the differences that the fuzzer allows, and no other', () => {
    expect(allowed.sort()).toEqual([...wantedNames].sort())
  })

  it('names what the code names that leaves it out, and no other', () => {
    const mentioned = new Set<string>()
    for (const folder of ['differential', 'suite']) {
      for (const file of readdirSync(`test/conformance/${folder}`)) {
        if (!file.endsWith('.ts')) continue
        const text = readFileSync(`test/conformance/${folder}/${file}`, 'utf8')
        const mention = /see\s(?:\s*\*\s*)?([a-z-]+) (?:in docs\/compatibility\.md|there)/g
        for (const [, name] of text.matchAll(mention)) mentioned.add(name ?? '')
      }
    }
    expect(unsent.filter((name) => !mentioned.has(name))).toEqual([])
    for (const name of mentioned) expect(page).toContain(`\`${name}\``)
  })

  it('gives a reason for every difference', () => {
    const tables = page.split('\n\n').filter((part) => / (Reason|why) \|$/m.test(part))
    expect(tables).toHaveLength(10)
    for (const table of tables) {
      const [head = '', , ...rows] = table.trim().split('\n')
      for (const row of rows) {
        const cells = row.split(/(?<!\\)\|/).slice(1, -1)
        expect([row, cells.length]).toEqual([row, head.split('|').length - 2])
        expect([row, cells.at(-1)?.trim()]).not.toEqual([row, ''])
      }
    }
  })

  it('has a word on each of what the suite makes a difference for', () => {
    const target = readFileSync('test/conformance/suite/target.ts', 'utf8')
    const [, supports = ''] = target.split('export interface Supports {')
    const settings = supports.split('\n}')[0]?.match(/readonly \w+/g) ?? []
    const mentions = [...supports.matchAll(/see ([a-z-]+) there/g)].map(([, name]) => name ?? '')
    expect(mentions).toHaveLength(settings.length)
    expect(mentions.filter((name) => ![...allowed, ...unsent].includes(name))).toEqual([])
  })
})

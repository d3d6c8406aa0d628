import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../server/core/machine/error-code.ts'
import { Opcode } from '../../server/wire/opcode.ts'
import { errorCases, opcodeCases, trapCases } from './coverage.ts'

const SUITE = 'test/conformance/suite'
/** Where replies to clients come from. */
const SERVER = ['core', 'wire', 'listener', 'ensemble'].map((folder) => `server/${folder}`)

const titles = new Map(
  readdirSync(SUITE).map((file) => {
    const text = readFileSync(join(SUITE, file), 'utf8')
    const literal = /(['"`])((?:(?!\1).)+)\1,\s*(?:async|\{)/g
    return [file.replace('.ts', ''), [...text.matchAll(literal)].map(([, , title]) => title ?? '')]
  }),
)

/** The suite says of some of its cases, in a title, why one of the servers leaves them out. */
function isThere(name: string): boolean {
  const [file = '', ...rest] = name.split(': ')
  const title = rest.join(': ')
  return (titles.get(file) ?? []).some((each) => each === title || each.startsWith(`${title}$`))
}

function codesOfServer(): Set<string> {
  const codes = new Set<string>()
  for (const folder of SERVER) {
    for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!entry.endsWith('.ts')) continue
      const text = readFileSync(join(folder, entry), 'utf8')
      for (const [, name] of text.matchAll(/ErrorCode\.(\w+)/g)) codes.add(name ?? '')
    }
  }
  return codes
}

/** The lists of coverage.ts are whole by their types; here, that what they name is there. */
describe('the suite shows', () => {
  it.each(Object.keys(Opcode) as (keyof typeof Opcode)[])('the opcode %s', (name) => {
    expect(opcodeCases[name].length).toBeGreaterThan(0)
    expect(opcodeCases[name].filter((one) => !isThere(one))).toEqual([])
  })

  it.each(Object.keys(ErrorCode) as (keyof typeof ErrorCode)[])('the error %s', (name) => {
    const cases = errorCases[name]
    if ('unseen' in cases) return expect(cases.unseen).not.toBe('')
    expect(cases.length).toBeGreaterThan(0)
    expect(cases.filter((one) => !isThere(one))).toEqual([])
  })

  it('every error that the server makes, but for two that no client sees', () => {
    const unseen = [...codesOfServer()].filter(
      (name) => 'unseen' in errorCases[name as keyof typeof ErrorCode],
    )
    expect(unseen.sort()).toEqual(['apiError', 'systemError'])
  })

  it.each(trapCases)('that $trap', ({ cases }) => {
    expect(cases.filter((one) => !isThere(one))).toEqual([])
  })

  it('twenty traps', () => {
    expect(trapCases).toHaveLength(20)
    for (const { cases } of trapCases) expect(cases.length).toBeGreaterThan(0)
  })
})

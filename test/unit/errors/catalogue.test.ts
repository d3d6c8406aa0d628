import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { agentErrors } from '../../../agent/errors.ts'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { CodedError, errorCatalogue, type ShellErrorCode } from '../../../server/errors.ts'

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')

/** The rows of the first table under a heading, or under the given first line of a table. */
function rowsAfter(start: string): string[][] {
  const [, after] = page.split(start)
  if (after === undefined) throw new Error(`the page has no "${start}"`)
  const rows: string[][] = []
  for (const line of after.slice(after.indexOf('\n|')).trimStart().split('\n')) {
    if (!line.startsWith('|')) break
    const cells = line.split('|').slice(1, -1)
    rows.push(cells.map((cell) => cell.trim().replaceAll('`', '')))
  }
  // Without its head and the line below it.
  return rows.slice(2)
}

/** All that is written in a folder of the server. */
function sourceOf(folder: string): string {
  const root = fileURLToPath(new URL(`../../../server/${folder}/`, import.meta.url))
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(`${root}/${name}`, 'utf8'))
    .join('\n')
}

const catalogue = Object.entries(errorCatalogue)

describe('docs/errors.md', () => {
  it('has every code that HTTP answers, with its status', () => {
    // What ends a process is never answered; INTERNAL may do both.
    const answered = catalogue.filter(([code, { exit }]) => exit === 1 || code === 'INTERNAL')
    const expected = answered.map(([code, { status }]) => `${code} ${status}`)
    const found = rowsAfter('## Over HTTP').map(([code, status]) => `${code} ${status}`)
    expect(found.sort()).toEqual(expected.sort())
  })

  it('has every code that ends a process, with its exit code', () => {
    const ending = catalogue.filter(([, { exit }]) => exit !== 1)
    const expected = ending.map(([code, { exit }]) => `${code} ${exit}`)
    const found = rowsAfter('## Ends of a process').map(([code, exit]) => `${code} ${exit}`)
    expect(found.sort()).toEqual(expected.sort())
  })

  it('has every code of ZooKeeper once, sent or never sent', () => {
    const name = (key: string): string => key.charAt(0).toUpperCase() + key.slice(1)
    const expected = Object.entries(ErrorCode).map(([key, code]) => `${code} ${name(key)}`)
    const rows = [...rowsAfter('## On the client port'), ...rowsAfter('These are never sent.')]
    expect(rows.map(([code, key]) => `${code} ${key}`).sort()).toEqual(expected.sort())
  })

  it('calls none never sent that the server sends', () => {
    const sent = new Set(
      ['core', 'ensemble', 'listener'].flatMap((folder) =>
        [...sourceOf(folder).matchAll(/\bErrorCode\.(\w+)/g)].map(([, key = '']) => key),
      ),
    )
    const never = rowsAfter('These are never sent.')
      .filter(([, , why]) => why?.startsWith('Inside only') !== true)
      .map(([, name = '']) => name.charAt(0).toLowerCase() + name.slice(1))
    expect(never.filter((key) => sent.has(key))).toEqual([])
  })

  it('has every code of the agent', () => {
    const found = rowsAfter('## Of the agent').map(([code]) => code)
    expect(found.sort()).toEqual(Object.keys(agentErrors).sort())
  })

  it('says for each when it comes and what to do', () => {
    const headings = {
      '## Over HTTP': 4,
      '## Ends of a process': 4,
      '## Of the agent': 3,
      '## On the client port': 4,
    }
    for (const [heading, cells] of Object.entries(headings)) {
      for (const row of rowsAfter(heading)) {
        expect(row).toHaveLength(cells)
        for (const cell of row.slice(-2)) expect(cell, row[0]).toMatch(/^\S.*\.$/)
      }
    }
  })

  it('names no code that is not in the catalogue', () => {
    const named = [...page.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code]) => code)
    const known = { ...errorCatalogue, ...agentErrors }
    expect(named.filter((code) => code !== undefined && !(code in known))).toEqual([])
  })
})

describe('the catalogue', () => {
  it.each(catalogue)('%s has a meaning, a status and an exit code that agree', (_, definition) => {
    expect(definition.meaning).toMatch(/^\S.*\.$/)
    expect([400, 401, 403, 404, 409, 413, 500, 503]).toContain(definition.status)
    // As sysexits.h has them: data, software, disk, configuration.
    expect([1, 65, 70, 74, 78]).toContain(definition.exit)
  })

  it('is what a CodedError goes by', () => {
    for (const code of Object.keys(errorCatalogue) as ShellErrorCode[]) {
      const error = new CodedError(code, 'why', { field: 'k' })
      const { status, exit } = errorCatalogue[code]
      expect(error).toMatchObject({ code, status, exit, message: 'why', details: { field: 'k' } })
      expect(error).toBeInstanceOf(Error)
    }
  })
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { errorCatalogue } from '../../../server/errors.ts'
import { httpHarness } from './harness.ts'

const page = readFileSync(new URL('../../../docs/http-api.md', import.meta.url), 'utf8')

describe('docs/http-api.md', () => {
  it('lists every code that HTTP answers, under its status, and no other', () => {
    const listed = page
      .split('\n')
      .filter((line) => /^\| [45]\d\d \|/.test(line))
      .flatMap((line) => {
        const [, status = '', codes = ''] = line.split('|')
        return [...codes.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => `${status.trim()} ${code}`)
      })
    const answered = Object.entries(errorCatalogue)
      .filter(([code]) => !/^(CONFIG|PORT|DATA|TLS|MIGRATION|DISK_FSYNC|DISK_WRITE)_/.test(code))
      .map(([code, { status }]) => `${status} ${code}`)
    expect(listed.sort()).toEqual(answered.sort())
  })

  it('lists every operation of the OpenAPI document', async () => {
    const { app, close } = await httpHarness()
    const document = (await app.inject('/openapi.json')).json()
    await close()
    const paths = Object.entries(document.paths as Record<string, object>)
    for (const [path, methods] of paths) {
      const written = path.replace('{*}', '<path>').replace(/\{(\w+)\}/g, '<$1>')
      for (const method of Object.keys(methods)) {
        expect(page).toContain(`${method.toUpperCase()} ${written}`)
      }
    }
  })
})

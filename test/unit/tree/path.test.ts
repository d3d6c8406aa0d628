import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { childOf, nameOf, parentOf, validatePath } from '../../../server/core/tree/path.ts'

describe('validatePath', () => {
  it.each([
    '/',
    '/a',
    '/a/b/c',
    '/...',
    '/.a',
    '/a.',
    '/..a',
    '/a..',
    '/a/.../b',
    '/ ',
    '/a b',
    '/~',
    '/\u00a0',
    '/ümlaut/日本',
    '/\ud7ff',
    '/\uf900',
    '/\uffef',
  ])('takes %j', (path) => {
    expect(validatePath(path)).toBe(true)
  })

  it.each([
    '',
    'a',
    'a/b',
    '//',
    '/a/',
    '/a//b',
    '//a',
    '/.',
    '/..',
    '/a/.',
    '/a/..',
    '/./a',
    '/../a',
    '/a/./b',
    '/a/../b',
    '/\0',
    '/a\0b',
    '/\u0001',
    '/\u001f',
    '/\u007f',
    '/\u009f',
    '/\ud800',
    '/\u{1f600}',
    '/\uf8ff',
    '/\ufff0',
    '/\uffff',
  ])('refuses %j', (path) => {
    expect(validatePath(path)).toBe(false)
  })

  it('judges each UTF-16 unit as the table of PathUtils does', () => {
    const ranges = [
      [0x00, 0x1f],
      [0x7f, 0x9f],
      [0xd800, 0xf8ff],
      [0xfff0, 0xffff],
    ] as const
    for (let unit = 0; unit <= 0xffff; unit += 1) {
      // "/" between two letters is a separator, and a path.
      const path = `/a${String.fromCharCode(unit)}b`
      const forbidden = ranges.some(([first, last]) => unit >= first && unit <= last)
      if (validatePath(path) === forbidden) expect(path).toBe('judged otherwise')
    }
  })
})

describe('the parts of a path', () => {
  it('are a parent and a name', () => {
    expect([parentOf('/a'), parentOf('/a/b'), parentOf('/'), parentOf('/a/')]).toEqual([
      '/',
      '/a',
      '/',
      '/a',
    ])
    expect([nameOf('/a'), nameOf('/a/b')]).toEqual(['a', 'b'])
  })

  it('join to the path again', () => {
    const name = fc.stringMatching(/^[a-z]{1,5}$/)
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 6 }), (names) => {
        const path = `/${names.join('/')}`
        expect(childOf(parentOf(path), nameOf(path))).toBe(path)
      }),
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placesOf, substitute } from '../../../../agent/core/substitution.ts'

const facts: Readonly<Record<string, string | null>> = {
  'self.host': 'q-0.example',
  'secret.a_b': '${self.host}',
  'leader.host': null,
}
const factOf = (name: string) => facts[name]

describe('a template', () => {
  it.each<[string, object]>([
    ['no places', { kind: 'text', text: 'no places' }],
    ['host ${self.host}:1', { kind: 'text', text: 'host q-0.example:1' }],
    [
      'what is put in stays as it is: ${secret.a_b}',
      { kind: 'text', text: 'what is put in stays as it is: ${self.host}' },
    ],
    ['$${self.host} $1 $ {a} $$', { kind: 'text', text: '${self.host} $1 $ {a} $$' }],
    ['${self.host} ${leader.host}', { kind: 'unknown', name: 'leader.host' }],
    ['${leader.host} ${nope}', { kind: 'invalid', reason: 'there is no fact ${nope}' }],
    ['${nope} ${leader.host}', { kind: 'invalid', reason: 'there is no fact ${nope}' }],
    ['${self.host', { kind: 'invalid', reason: 'a place that begins with ${ has no end' }],
    ['${}', { kind: 'invalid', reason: 'there is no fact ${}' }],
    ['${self.host | upper}', { kind: 'invalid', reason: 'there is no fact ${self.host | upper}' }],
    ['${__proto__}', { kind: 'invalid', reason: 'there is no fact ${__proto__}' }],
  ])('%s', (template, result) => {
    expect(substitute(template, factOf)).toEqual(result)
  })

  it('is itself where it has no place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('${'))
        expect(substitute(text, factOf)).toEqual({ kind: 'text', text })
      }),
    )
  })

  it('is anything at all, once it is escaped', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        const text = `${left}\${${right}`
        const escaped = text.replaceAll('${', () => '$${')
        // A dollar before a place would be read as its escape.
        fc.pre(!text.includes('$${'))
        expect(substitute(escaped, factOf)).toEqual({ kind: 'text', text })
      }),
    )
  })

  it('tells its places', () => {
    expect(placesOf('${a.b} $${c} ${d}')).toEqual(['a.b', 'd'])
  })
})

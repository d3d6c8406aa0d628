import { describe, expect, it } from 'vitest'
import {
  copiesListed,
  copyInstanceName,
  copyInstanceOf,
} from '../../../../agent/core/cluster/allegrograph-instances.ts'

const UID = '8f14e45f-ceea-467f-ab5d-9c1e6a1d2b3c'

describe('the name of a copy', () => {
  it('says which life of which pod it is', () => {
    const name = copyInstanceName('r-copies-12', UID, 3)
    expect(name).toBe('r-copies-12-8f14e45f-3')
    expect(copyInstanceOf(name, 'r-copies')).toEqual({
      name,
      pod: 'r-copies-12',
      podUid: '8f14e45f',
      start: 3,
    })
  })

  it.each([
    ['controlling'],
    ['r-copies-0'],
    ['r-copies-00-8f14e45f-1'],
    ['r-copies-0-8f14e45f-0'],
    ['r-copies-0-8f14e45f-x'],
    ['other-copies-0-8f14e45f-1'],
    ['i-10.0.0.7'],
  ])('%s is none', (name) => {
    expect(copyInstanceOf(name, 'r-copies')).toBeNull()
  })
})

describe('an answer of repl/status, whose form is not documented', () => {
  const names = ['r-copies-0-8f14e45f-1', 'r-copies-10-0badcafe-22']

  it.each([
    ['JSON', JSON.stringify({ instances: names.map((instanceName) => ({ instanceName })) })],
    ['a table', `name  host\n${names.map((name) => `${name}  10.0.0.7:10035`).join('\n')}\n`],
    ['a list of Lisp', `((:name "controlling") (:name "${names[0]}") (:name "${names[1]}"))`],
    ['XML', names.map((name) => `<instance>${name}</instance>`).join('')],
  ])('gives the copies, as %s', (_form, text) => {
    expect(copiesListed(text, 'r-copies').map(({ name }) => name)).toEqual(names)
  })

  it('takes a part of a longer name for nobody, and each name once', () => {
    expect(copiesListed(`x${names[0]} ${names[0]}9x ${names[1]} ${names[1]}`, 'r-copies')).toEqual([
      expect.objectContaining({ name: names[1] }),
    ])
  })
})

import { describe, expect, it } from 'vitest'
import type { Operation } from '../../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import type { WatchKind } from '../../../server/core/watch/watch.ts'
import { WatchTable } from '../../../server/core/watch/watch-table.ts'
import { check, create, Driver, multi, remove, setAcl, setData } from '../machine/driver.ts'

const watcher = { connection: 1, identities: [] }

/** The events of one operation for a client with those watches, in their order. */
function told(watches: readonly (readonly [WatchKind, string])[], operation: Operation): string[] {
  const driver = new Driver()
  driver.create('/p')
  driver.create('/p/a')
  const table = new WatchTable()
  for (const [kind, path] of watches) table.add(watcher, kind, path)
  const deliveries = driver.apply(operation).triggers.flatMap((one) => table.trigger(one))
  return deliveries.map(({ event: { type, path } }) => `${type} ${path}`)
}

describe('the events that a write causes', () => {
  it.each<[string, (readonly [WatchKind, string])[], Operation, string[]]>([
    [
      'create',
      [
        ['exist', '/p/b'],
        ['child', '/p'],
      ],
      create('/p/b'),
      ['1 /p/b', '4 /p'],
    ],
    [
      'delete',
      [
        ['data', '/p/a'],
        ['child', '/p/a'],
        ['child', '/p'],
      ],
      remove('/p/a'),
      ['2 /p/a', '4 /p'],
    ],
    [
      'setData',
      [
        ['data', '/p/a'],
        ['child', '/p'],
      ],
      setData('/p/a', 'x'),
      ['3 /p/a'],
    ],
    [
      'setAcl',
      [
        ['data', '/p/a'],
        ['child', '/p'],
      ],
      setAcl('/p/a', OPEN_ACL),
      [],
    ],
    ['check', [['data', '/p/a']], multi(check('/p/a')), []],
    [
      'a refused write',
      [
        ['data', '/p/a'],
        ['child', '/p'],
      ],
      setData('/p/a', 'x', 9),
      [],
    ],
    [
      'a multi, one after the other',
      [
        ['persistent', '/p'],
        ['data', '/p/a'],
      ],
      multi(setData('/p/a', 'x'), setData('/p/a', 'y'), create('/p/b'), setData('/p', 'z')),
      ['3 /p/a', '4 /p', '3 /p'],
    ],
    [
      'a failed multi',
      [['persistentRecursive', '/']],
      multi(setData('/p/a', 'x'), remove('/none')),
      [],
    ],
    [
      'a recursive watch, which hears no children',
      [['persistentRecursive', '/p']],
      multi(create('/p/b'), remove('/p/b')),
      ['1 /p/b', '2 /p/b'],
    ],
    [
      'a persistent and a recursive one',
      [
        ['persistent', '/p'],
        ['persistentRecursive', '/p'],
      ],
      create('/p/b'),
      ['1 /p/b', '4 /p'],
    ],
  ])('%s', (_, watches, operation, events) => {
    expect(told(watches, operation)).toEqual(events)
  })

  it('are the same when a session ends as when its ephemerals are deleted', () => {
    const driver = new Driver()
    const owner = driver.open()
    driver.create('/p')
    driver.create('/p/e', { mode: 'ephemeral' }, owner)
    const table = new WatchTable()
    table.add(watcher, 'data', '/p/e')
    table.add(watcher, 'child', '/p')
    const deliveries = driver.close(owner).triggers.flatMap((one) => table.trigger(one))
    expect(deliveries.map(({ event: { type, path } }) => `${type} ${path}`)).toEqual([
      '2 /p/e',
      '4 /p',
    ])
  })
})

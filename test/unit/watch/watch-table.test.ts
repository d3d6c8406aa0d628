import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Trigger } from '../../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import type { Watcher, WatchKind } from '../../../server/core/watch/watch.ts'
import { WatchTable } from '../../../server/core/watch/watch-table.ts'

type Event = Trigger['event']

const KINDS: readonly WatchKind[] = ['data', 'exist', 'child', 'persistent', 'persistentRecursive']
const EVENTS: readonly Event[] = ['created', 'deleted', 'dataChanged', 'childrenChanged']
const ONE_SHOT: readonly WatchKind[] = ['data', 'exist', 'child']

const watcher = (connection: number): Watcher => ({ connection, identities: [] })
const trigger = (event: Event, path: string, acl = OPEN_ACL): Trigger => ({
  event,
  path,
  zxid: 7,
  acl,
})

/** Who is told what: "connection type path". */
function fire(table: WatchTable, event: Event, path: string): string[] {
  return table
    .trigger(trigger(event, path))
    .map(({ watcher: { connection }, event: { type, path: where } }) => {
      return `${connection} ${type} ${where}`
    })
}

describe('which events a watch hears', () => {
  // The watch manager of 3.9: exists and getData set data watches, getChildren child watches;
  // persistent ones hear both, recursive ones nothing of children as such.
  const heard: Record<WatchKind, Record<Event, number | null>> = {
    data: { created: 1, deleted: 2, dataChanged: 3, childrenChanged: null },
    exist: { created: 1, deleted: 2, dataChanged: 3, childrenChanged: null },
    child: { created: null, deleted: 2, dataChanged: null, childrenChanged: 4 },
    persistent: { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 },
    persistentRecursive: { created: 1, deleted: 2, dataChanged: 3, childrenChanged: null },
  }

  for (const kind of KINDS) {
    for (const event of EVENTS) {
      const type = heard[kind][event]
      it(`${kind}, ${event}: ${type ?? 'nothing'}`, () => {
        const table = new WatchTable()
        table.add(watcher(1), kind, '/a')
        expect(fire(table, event, '/b')).toEqual([])
        expect(fire(table, event, '/a/b')).toEqual(
          kind === 'persistentRecursive' && type !== null ? [`1 ${type} /a/b`] : [],
        )
        expect(fire(table, event, '/a')).toEqual(type === null ? [] : [`1 ${type} /a`])
        // One-shot kinds are gone when they were heard, the others stay.
        const stays = type === null || !ONE_SHOT.includes(kind)
        expect(table.has(1, kind, '/a')).toBe(stays)
        expect(table.count).toBe(stays ? 1 : 0)
        expect(fire(table, event, '/a')).toEqual(stays && type !== null ? [`1 ${type} /a`] : [])
      })
    }
  }

  it('carries the zxid of the change', () => {
    const table = new WatchTable()
    const one = watcher(1)
    table.add(one, 'data', '/a')
    expect(table.trigger(trigger('dataChanged', '/a'))).toEqual([
      { watcher: one, event: { type: 3, path: '/a', zxid: 7 } },
    ])
  })
})

describe('a connection', () => {
  it('is told once of a change that several of its watches hear', () => {
    const table = new WatchTable()
    for (const kind of KINDS) table.add(watcher(1), kind, '/a')
    table.add(watcher(1), 'persistentRecursive', '/')
    expect(fire(table, 'deleted', '/a')).toEqual(['1 2 /a'])
    // All one-shot watches of the path are used up by it.
    expect(table.countOf(1)).toBe(3)
  })

  it('has one watch of a kind on a path, however often it is set', () => {
    const table = new WatchTable()
    table.add(watcher(1), 'data', '/a')
    table.add(watcher(1), 'data', '/a')
    expect(table.count).toBe(1)
    expect(fire(table, 'dataChanged', '/a')).toEqual(['1 3 /a'])
    expect(fire(table, 'dataChanged', '/a')).toEqual([])
  })

  it('takes its watches with it', () => {
    const table = new WatchTable()
    for (const kind of KINDS) {
      table.add(watcher(1), kind, '/a')
      table.add(watcher(1), kind, '/b')
      table.add(watcher(2), kind, '/a')
    }
    expect([table.count, table.connectionCount, table.pathCount]).toEqual([15, 2, 2])
    table.removeConnection(1)
    table.removeConnection(1)
    expect([table.count, table.connectionCount, table.pathCount]).toEqual([5, 1, 1])
    expect(table.countOf(1)).toBe(0)
    expect(fire(table, 'deleted', '/a')).toEqual(['2 2 /a'])
    expect(fire(table, 'deleted', '/b')).toEqual([])
  })

  it('is told only of what it may read, and its one-shot watch is used up all the same', () => {
    const table = new WatchTable()
    const ann = { scheme: 'digest', id: 'ann:1' }
    table.add({ connection: 1, identities: [ann] }, 'data', '/a')
    table.add({ connection: 2, identities: [] }, 'data', '/a')
    const closed = [{ ...ann, permissions: 1 }]
    const told = table.trigger(trigger('dataChanged', '/a', closed))
    expect(told.map(({ watcher: { connection } }) => connection)).toEqual([1])
    expect(table.count).toBe(0)
  })
})

describe('a recursive watch', () => {
  it('hears of every path below it, not of its neighbours', () => {
    const table = new WatchTable()
    table.add(watcher(1), 'persistentRecursive', '/a')
    expect(fire(table, 'created', '/a/b/c/d')).toEqual(['1 1 /a/b/c/d'])
    expect(fire(table, 'created', '/ab')).toEqual([])
    expect(fire(table, 'created', '/')).toEqual([])
  })

  it('on the root hears of all', () => {
    const table = new WatchTable()
    table.add(watcher(1), 'persistentRecursive', '/')
    expect(fire(table, 'dataChanged', '/')).toEqual(['1 3 /'])
    expect(fire(table, 'dataChanged', '/a/b')).toEqual(['1 3 /a/b'])
    expect(fire(table, 'childrenChanged', '/a')).toEqual([])
  })
})

describe('removal', () => {
  it('says whether there was one, and takes that one alone', () => {
    const table = new WatchTable()
    table.add(watcher(1), 'data', '/a')
    table.add(watcher(1), 'child', '/a')
    table.add(watcher(2), 'data', '/a')
    expect(table.remove(1, 'exist', '/a')).toBe(false)
    expect(table.remove(1, 'data', '/b')).toBe(false)
    expect(table.remove(3, 'data', '/a')).toBe(false)
    expect(table.remove(1, 'data', '/a')).toBe(true)
    expect(table.remove(1, 'data', '/a')).toBe(false)
    expect(fire(table, 'deleted', '/a').sort()).toEqual(['1 2 /a', '2 2 /a'])
    expect([table.count, table.connectionCount, table.pathCount]).toEqual([0, 0, 0])
  })
})

describe('the listing', () => {
  it('names each watched path with its connections', () => {
    const table = new WatchTable()
    table.add(watcher(1), 'data', '/a')
    table.add(watcher(2), 'data', '/a')
    table.add(watcher(2), 'persistent', '/b')
    expect([...table.entries()]).toEqual([
      { kind: 'data', path: '/a', connections: [1, 2] },
      { kind: 'persistent', path: '/b', connections: [2] },
    ])
  })
})

describe('the table', () => {
  it('agrees with a plain set of watches, whatever happens', () => {
    const PATHS = ['/', '/a', '/b', '/a/b', '/a/b/c']
    const step = fc.record({
      action: fc.constantFrom('add', 'add', 'add', 'remove', 'end', 'trigger'),
      connection: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom(...KINDS),
      path: fc.constantFrom(...PATHS),
      event: fc.constantFrom(...EVENTS),
    })
    const covers = (kind: string, at: string, path: string): boolean =>
      at === path || (kind === 'persistentRecursive' && (at === '/' || path.startsWith(`${at}/`)))
    const hears = (kind: string, event: Event): boolean => {
      if (event === 'childrenChanged') return kind === 'child' || kind === 'persistent'
      return kind !== 'child' || event === 'deleted'
    }
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const table = new WatchTable()
        let plain = new Set<string>()
        for (const { action, connection, kind, path, event } of steps) {
          const key = `${connection} ${kind} ${path}`
          if (action === 'add') {
            table.add(watcher(connection), kind, path)
            plain.add(key)
          } else if (action === 'remove') {
            expect(table.remove(connection, kind, path)).toBe(plain.delete(key))
          } else if (action === 'end') {
            table.removeConnection(connection)
            plain = new Set([...plain].filter((one) => !one.startsWith(`${connection} `)))
          } else {
            const told = new Set<string>()
            for (const one of plain) {
              const [who = '', what = '', at = ''] = one.split(' ')
              if (!covers(what, at, path) || !hears(what, event)) continue
              told.add(who)
              if (!what.startsWith('persistent')) plain.delete(one)
            }
            const fired = fire(table, event, path).map((line) => line.split(' ')[0])
            expect(fired.sort()).toEqual([...told].sort())
          }
          expect(table.count).toBe(plain.size)
          expect(table.pathCount).toBe(new Set([...plain].map((one) => one.split(' ')[2])).size)
        }
      }),
    )
  })
})

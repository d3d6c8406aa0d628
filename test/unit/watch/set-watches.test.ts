import { describe, expect, it } from 'vitest'
import { restoreWatches, type WatchLists } from '../../../server/core/watch/set-watches.ts'
import { Driver, remove, setData } from '../machine/driver.ts'

/**
 * A client saw zxid `seen` and went away. Since then /changed was written, /parent got a child,
 * /gone was deleted and /new created; /same and /quiet were left alone.
 */
function scene() {
  const driver = new Driver()
  for (const path of ['/changed', '/parent', '/gone', '/same', '/quiet']) driver.create(path)
  driver.create('/quiet/old')
  const seen = driver.machine.lastZxid
  driver.ok(setData('/changed', 'later'))
  driver.create('/parent/child')
  driver.ok(remove('/gone'))
  driver.create('/new')
  return { tree: driver.machine.tree, seen }
}

type List = Exclude<keyof WatchLists, 'relativeZxid'>

function restore(list: List, path: string, relativeZxid?: number): string {
  const { tree, seen } = scene()
  const none = { data: [], exist: [], child: [], persistent: [], persistentRecursive: [] }
  const lists = { ...none, relativeZxid: relativeZxid ?? seen, [list]: [path] }
  const { missed, armed } = restoreWatches(tree, lists)
  expect(missed.length + armed.length).toBe(1)
  for (const event of missed) {
    expect(event).toMatchObject({ path, zxid: -1 })
    return `missed ${event.type}`
  }
  return `armed ${armed.map((one) => `${one.kind} ${one.path}`)}`
}

describe('what a client that comes back is told, and waits for again', () => {
  it.each<[List, string, string]>([
    ['data', '/same', 'armed data /same'],
    ['data', '/changed', 'missed 3'],
    ['data', '/gone', 'missed 2'],
    // A child is no change of the data.
    ['data', '/parent', 'armed data /parent'],
    ['exist', '/none', 'armed exist /none'],
    ['exist', '/new', 'missed 1'],
    ['exist', '/gone', 'armed exist /gone'],
    // It exists, whenever it was created.
    ['exist', '/same', 'missed 1'],
    ['child', '/quiet', 'armed child /quiet'],
    ['child', '/parent', 'missed 4'],
    ['child', '/gone', 'missed 2'],
    // New data is no change of the children.
    ['child', '/changed', 'armed child /changed'],
    ['persistent', '/changed', 'armed persistent /changed'],
    ['persistent', '/none', 'armed persistent /none'],
    ['persistentRecursive', '/gone', 'armed persistentRecursive /gone'],
  ])('%s %s: %s', (list, path, expected) => {
    expect(restore(list, path)).toBe(expected)
  })

  it('a change at the very zxid that the client has seen is not missed', () => {
    const { tree, seen } = scene()
    const changedAt = tree.stat('/changed')?.mzxid ?? 0
    expect(changedAt).toBe(seen + 1)
    expect(restore('data', '/changed', changedAt)).toBe('armed data /changed')
    expect(restore('data', '/changed', changedAt - 1)).toBe('missed 3')
    const grownAt = tree.stat('/parent')?.pzxid ?? 0
    expect(restore('child', '/parent', grownAt)).toBe('armed child /parent')
    expect(restore('child', '/parent', grownAt - 1)).toBe('missed 4')
  })

  it('a child that was deleted is a change of the children', () => {
    const driver = new Driver()
    driver.create('/p')
    driver.create('/p/a')
    const seen = driver.machine.lastZxid
    driver.ok(remove('/p/a'))
    const none = { data: [], exist: [], persistent: [], persistentRecursive: [] }
    const lists = { ...none, relativeZxid: seen, child: ['/p'] }
    expect(restoreWatches(driver.machine.tree, lists).missed).toEqual([
      { type: 4, path: '/p', zxid: -1 },
    ])
  })

  it('goes through all lists in their order', () => {
    const { tree, seen } = scene()
    const lists = {
      relativeZxid: seen,
      data: ['/same', '/gone'],
      exist: ['/new', '/none'],
      child: ['/parent'],
      persistent: ['/same'],
      persistentRecursive: ['/'],
    }
    expect(restoreWatches(tree, lists)).toEqual({
      missed: [
        { type: 2, path: '/gone', zxid: -1 },
        { type: 1, path: '/new', zxid: -1 },
        { type: 4, path: '/parent', zxid: -1 },
      ],
      armed: [
        { kind: 'data', path: '/same' },
        { kind: 'exist', path: '/none' },
        { kind: 'persistent', path: '/same' },
        { kind: 'persistentRecursive', path: '/' },
      ],
    })
  })
})

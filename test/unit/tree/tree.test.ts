import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { RESERVED_PATHS, Tree, type Znode } from '../../../server/core/tree/tree.ts'

function znode(path: string, changes: Partial<Znode> = {}): Znode {
  return {
    path,
    data: null,
    acl: OPEN_ACL,
    mode: 0,
    ttlMs: 0,
    owner: 0,
    czxid: 1,
    mzxid: 1,
    pzxid: 1,
    ctimeMs: 1,
    mtimeMs: 1,
    version: 0,
    aversion: 0,
    creations: 0,
    ...changes,
  }
}

const bytes = (length: number, byte = 7): Uint8Array => new Uint8Array(length).fill(byte)
const slotOf = (tree: Tree, path: string): number | undefined => new Map(tree.entries()).get(path)

describe('a tree', () => {
  it('knows nothing of a path that is not there', () => {
    const tree = new Tree()
    expect(tree.has('/a')).toBe(false)
    const { stat, data, acl, mode, version, aversion } = Tree.prototype
    const looks: ((this: Tree, path: string) => unknown)[] = [
      stat,
      data,
      acl,
      mode,
      version,
      aversion,
    ]
    for (const look of looks) expect(look.call(tree, '/a')).toBeUndefined()
    expect([tree.ttlMs('/a'), tree.creations('/a'), tree.childCount('/a')]).toEqual([0, 0, 0])
    expect([tree.children('/a'), tree.ephemeralsOf(9)]).toEqual([[], []])
    expect(tree.descendantCount('/a')).toBe(0)
  })

  it('takes no change of what is not there', () => {
    const tree = new Tree()
    expect(() => tree.create(znode('/a/b'))).toThrow(AssertionError)
    expect(() => tree.remove('/a', 1)).toThrow(AssertionError)
    expect(() => tree.setData('/a', null, 1, 1)).toThrow(AssertionError)
    expect(() => tree.setAcl('/a', OPEN_ACL)).toThrow(AssertionError)
  })

  it('uses the slots of removed znodes again before it grows', () => {
    const tree = new Tree()
    for (const path of ['/a', '/b', '/c']) tree.create(znode(path))
    const [first, second] = [slotOf(tree, '/a'), slotOf(tree, '/b')]
    tree.remove('/a', 2)
    tree.remove('/b', 3)
    tree.create(znode('/d'))
    tree.create(znode('/e'))
    tree.create(znode('/f'))
    expect([slotOf(tree, '/e'), slotOf(tree, '/d')]).toEqual([first, second])
    expect(slotOf(tree, '/f')).toBe((slotOf(tree, '/c') ?? 0) + 1)
  })

  it('shows nothing of the znode that had the slot before', () => {
    const tree = new Tree()
    const acl = [{ permissions: 1, scheme: 'ip', id: '::1' }]
    const former = { data: bytes(9), acl, mode: 1, owner: 5, version: 3, creations: 8 } as const
    tree.create(znode('/a', former))
    tree.create(znode('/t', { mode: 3, ttlMs: 99 }))
    tree.remove('/a', 2)
    tree.remove('/t', 3)
    tree.create(znode('/b', { czxid: 4, mzxid: 4, pzxid: 4 }))
    tree.create(znode('/c', { czxid: 5, mzxid: 5, pzxid: 5 }))
    for (const path of ['/b', '/c']) {
      expect(tree.data(path)).toBeNull()
      expect(tree.acl(path)).toBe(OPEN_ACL)
      expect(tree.ttlMs(path)).toBe(0)
      expect(tree.creations(path)).toBe(0)
      expect(tree.children(path)).toEqual([])
      expect(tree.stat(path)).toMatchObject({ version: 0, ephemeralOwner: 0, dataLength: 0 })
    }
    expect([...tree.ttls(), ...tree.ephemeralsOf(5)]).toEqual([])
  })

  it('grows over the pages of its columns', () => {
    const tree = new Tree()
    const count = 10_000
    for (let i = 0; i < count; i += 1) {
      tree.create(znode(`/n${i}`, { data: bytes(i % 300, i % 256), czxid: i + 1, version: i }))
    }
    expect(tree.nodeCount).toBe(count + RESERVED_PATHS.length)
    for (const i of [0, 4090, 4091, 4092, 4093, 8191, 8192, count - 1]) {
      expect(tree.stat(`/n${i}`)).toMatchObject({ czxid: i + 1, version: i, dataLength: i % 300 })
      expect(tree.data(`/n${i}`)).toEqual(bytes(i % 300, i % 256))
    }
    for (let i = 0; i < count; i += 1) tree.remove(`/n${i}`, count + i)
    expect(tree.nodeCount).toBe(RESERVED_PATHS.length)
    expect(tree.stat('/')).toMatchObject({ numChildren: 1, cversion: 2 * count - 1 })
  })

  it('sums up what it holds', () => {
    const tree = new Tree()
    const { nodeCount, approximateDataSize } = tree
    tree.create(znode('/abc', { data: bytes(10) }))
    tree.create(znode('/abc/d', { data: bytes(5000), mode: 1, owner: 4 }))
    expect(tree.nodeCount - nodeCount).toBe(2)
    expect(tree.approximateDataSize - approximateDataSize).toBe(4 + 10 + 6 + 5000)
    expect(tree.ephemeralCount).toBe(1)
    tree.setData('/abc/d', bytes(3), 2, 2)
    tree.setData('/abc', null, 3, 3)
    expect(tree.approximateDataSize - approximateDataSize).toBe(4 + 6 + 3)
    tree.remove('/abc/d', 4)
    tree.remove('/abc', 5)
    expect(tree.approximateDataSize).toBe(approximateDataSize)
    expect([tree.nodeCount, tree.ephemeralCount]).toEqual([nodeCount, 0])
  })

  it('forgets an ACL with its last znode', () => {
    const tree = new Tree()
    const { aclCount } = tree
    const acl = [{ permissions: 1, scheme: 'ip', id: '::1' }]
    tree.create(znode('/a', { acl }))
    tree.create(znode('/b', { acl }))
    expect(tree.aclCount).toBe(aclCount + 1)
    tree.setAcl('/a', OPEN_ACL)
    tree.remove('/b', 2)
    expect(tree.aclCount).toBe(aclCount)
    tree.begin()
    tree.setAcl('/a', acl)
    tree.create(znode('/c', { acl: [{ permissions: 2, scheme: 'ip', id: '::1' }] }))
    tree.rollback()
    expect(tree.aclCount).toBe(aclCount)
  })

  it('counts descendants, of paths only that are below', () => {
    const tree = new Tree()
    for (const path of ['/a', '/a/b', '/a/b/c', '/ab', '/a/d']) tree.create(znode(path))
    expect(tree.descendantCount('/a')).toBe(3)
    expect(tree.descendantCount('/a/b')).toBe(1)
    expect(tree.descendantCount('/')).toBe(5 + 3)
    expect(tree.descendantCount('/zookeeper')).toBe(2)
  })

  it('keeps the ephemerals of each session', () => {
    const tree = new Tree()
    tree.create(znode('/a', { mode: 1, owner: 1 }))
    tree.create(znode('/b', { mode: 1, owner: 2 }))
    tree.create(znode('/c', { mode: 1, owner: 1 }))
    expect(tree.ephemeralsOf(1).sort()).toEqual(['/a', '/c'])
    tree.remove('/a', 2)
    expect(tree.ephemeralsOf(1)).toEqual(['/c'])
    expect(tree.ephemeralsOf(2)).toEqual(['/b'])
  })

  it('tells its observers before each change', () => {
    const tree = new Tree()
    tree.create(znode('/a', { data: bytes(2) }))
    const told: string[] = []
    const observer = {
      beforeChange: (slot: number, path: string) => {
        told.push(`${path} ${tree.znodeAt(slot, path).version} ${tree.childCount(path)}`)
      },
    }
    tree.observe(observer)
    tree.setData('/a', null, 2, 2)
    tree.setAcl('/a', OPEN_ACL)
    tree.create(znode('/a/b'))
    tree.remove('/a/b', 3)
    expect(told).toEqual(['/a 0 0', '/a 1 0', '/a 1 0', '/a/b 0 0', '/a 1 1'])
    tree.unobserve(observer)
    tree.setData('/a', null, 4, 4)
    expect(told).toHaveLength(5)
  })
})

describe('a transaction', () => {
  it('does not nest', () => {
    const tree = new Tree()
    tree.begin()
    expect(() => tree.begin()).toThrow(AssertionError)
    tree.commit()
    tree.begin()
    tree.rollback()
    tree.begin()
  })

  it('that is committed cannot be taken back later', () => {
    const tree = new Tree()
    tree.begin()
    tree.create(znode('/a'))
    tree.commit()
    tree.begin()
    tree.rollback()
    expect(tree.has('/a')).toBe(true)
  })

  it('that is rolled back leaves all as it was, whatever it did', () => {
    const NAMES = ['a', 'b', 'c', 'd']
    const step = fc.record({
      kind: fc.constantFrom('create', 'create', 'remove', 'setData', 'setAcl'),
      path: fc.oneof(
        fc.constantFrom(...NAMES).map((name) => `/${name}`),
        fc
          .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES))
          .map((p) => `/${p.join('/')}`),
      ),
      length: fc.option(fc.constantFrom(0, 1, 40, 5000)),
      mode: fc.constantFrom(0, 1, 2, 3),
      acl: fc.constantFrom(OPEN_ACL, [{ permissions: 1, scheme: 'ip', id: '::1' }]),
    })
    const steps = fc.array(step, { maxLength: 30 })
    fc.assert(
      fc.property(steps, steps, (before, inside) => {
        const tree = new Tree()
        let zxid = 1
        const run = ({ kind, path, length, mode, acl }: (typeof before)[number]): void => {
          zxid += 1
          const data = length === null ? null : bytes(length, zxid % 256)
          const parent = path.slice(0, path.lastIndexOf('/')) || '/'
          if (kind === 'create') {
            if (tree.has(path) || !tree.has(parent)) return
            const owner = mode === 1 ? 9 : 0
            const times = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctimeMs: zxid, mtimeMs: zxid }
            const ttlMs = mode === 3 ? 5 : 0
            tree.create(znode(path, { ...times, data, acl, mode: mode as 0, owner, ttlMs }))
          } else if (!tree.has(path)) return
          else if (kind === 'setData') tree.setData(path, data, zxid, zxid)
          else if (kind === 'setAcl') tree.setAcl(path, acl)
          else if (tree.childCount(path) === 0) tree.remove(path, zxid)
        }
        for (const one of before) run(one)
        const look = () => ({
          digest: tree.digest,
          size: tree.approximateDataSize,
          acls: tree.aclCount,
          ephemerals: [tree.ephemeralCount, tree.ephemeralsOf(9).sort()],
          collectable: [[...tree.containers()].sort(), [...tree.ttls()].sort()],
          znodes: [...tree.entries()].sort().map(([path, slot]) => ({
            slot,
            znode: tree.znodeAt(slot, path),
            stat: tree.stat(path),
            children: tree.children(path).sort(),
          })),
        })
        const present = look()
        tree.begin()
        for (const one of inside) run(one)
        tree.rollback()
        const after = look()
        if (!isDeepStrictEqual(after, present)) expect(after).toEqual(present)
      }),
    )
  }, 60_000)
})

describe('restoring', () => {
  it('takes znodes in any order, and finds the children afterwards', () => {
    const tree = new Tree()
    tree.restore(znode('/a/b/c', { creations: 0 }))
    tree.restore(znode('/a/b', { creations: 3 }))
    tree.restore(znode('/a', { creations: 1 }))
    tree.restore(znode('/', { creations: 1, version: 4 }))
    expect(tree.relink()).toBe(true)
    expect(tree.children('/').sort()).toEqual(['a', 'zookeeper'])
    expect(tree.stat('/a/b')).toMatchObject({ numChildren: 1, cversion: 5 })
    expect(tree.stat('/')).toMatchObject({ version: 4, numChildren: 2, cversion: 0 })
    expect(tree.nodeCount).toBe(RESERVED_PATHS.length + 3)
  })

  it('notices an orphan', () => {
    const tree = new Tree()
    tree.restore(znode('/a/b'))
    expect(tree.relink()).toBe(false)
  })

  it('replaces a znode of that path with all that it counted', () => {
    const tree = new Tree()
    const { approximateDataSize } = tree
    tree.restore(znode('/a', { data: bytes(100), mode: 1, owner: 3 }))
    tree.restore(znode('/a', { data: bytes(7) }))
    expect(tree.approximateDataSize - approximateDataSize).toBe(2 + 7)
    expect([tree.ephemeralCount, tree.ephemeralsOf(3)]).toEqual([0, []])
  })
})

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OplogEntry, SetStore } from '../../../doubles/mongodb/set-store.ts'

describe('what the double of mongod keeps through its death', () => {
  let path = ''
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'quorate-mongodb-'))
  })
  afterEach(() => rmSync(path, { recursive: true, force: true }))

  const entry = (id: number): OplogEntry => ({
    term: 1,
    atMs: id,
    op: { kind: 'insert', namespace: 'shop.orders', document: { _id: id }, write: '' },
  })
  const kept = () => new SetStore(path).log.map(({ atMs }) => atMs)

  it('goes on after a piece of a line that its death left', () => {
    new SetStore(path).append([entry(1), entry(2)])
    appendFileSync(join(path, 'double-oplog.jsonl'), '{"term":1,"at')
    expect(kept()).toEqual([1, 2])
    new SetStore(path).append([entry(3)])
    expect(kept()).toEqual([1, 2, 3])
  })

  it('has no entry, and no _id, that was rolled back', () => {
    const store = new SetStore(path)
    store.append([entry(1), entry(2), entry(3)])
    store.truncate(1)
    store.append([entry(4)])
    expect(kept()).toEqual([1, 4])
    const places = [1, 2, 3, 4].map((id) => store.inserted('shop.orders', id))
    expect(places).toEqual([1, null, null, 2])
  })
})

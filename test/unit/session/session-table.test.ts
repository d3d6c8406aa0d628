import { describe, expect, it } from 'vitest'
import { type Session, SessionTable } from '../../../server/core/session/session-table.ts'

function session(id: number, changes: Partial<Session> = {}): Session {
  const password = new Uint8Array(16).fill(id)
  return { id, timeoutMs: 4000, password, origin: 1, connection: id, ...changes }
}

describe('the table of sessions', () => {
  it('finds, counts, lists and removes', () => {
    const table = new SessionTable()
    table.put(session(1))
    table.put(session(2))
    expect(table.get(1)).toEqual(session(1))
    expect([...table.all()].map(({ id }) => id).sort()).toEqual([1, 2])
    expect(table.remove(1)).toBe(true)
    expect(table.remove(1)).toBe(false)
    expect(table.get(1)).toBeUndefined()
    expect(table.count).toBe(1)
  })

  it('replaces a session of the same id', () => {
    const table = new SessionTable()
    table.put(session(1))
    table.put(session(1, { connection: 9 }))
    expect(table.count).toBe(1)
    expect(table.get(1)?.connection).toBe(9)
  })

  it('has a digest of what it holds, not of how it came there', () => {
    const [one, other] = [new SessionTable(), new SessionTable()]
    const empty = one.digest
    for (const id of [1, 2, 3]) one.put(session(id))
    for (const id of [3, 2, 9, 1]) other.put(session(id, { timeoutMs: 1 }))
    other.remove(9)
    for (const id of [2, 1, 3]) other.put(session(id))
    expect(other.digest).toBe(one.digest)
    for (const id of [1, 2, 3]) one.remove(id)
    expect(one.digest).toBe(empty)
  })

  it('has another digest for each field that differs', () => {
    const password = new Uint8Array(16)
    const changes = [
      {},
      { timeoutMs: 1 },
      { password },
      { origin: 2 },
      { connection: 2 },
      { id: 2 },
    ]
    const digests = changes.map((change) => {
      const table = new SessionTable()
      table.put(session(1, change))
      return table.digest
    })
    expect(new Set(digests).size).toBe(changes.length)
  })
})

import { assert } from '../assert.ts'
import { type Acl, OPEN_ACL } from './acl.ts'
import { hashText } from './hash.ts'

/** Lists of ACL entries, each kept once and counted; number 0 is the open one and always there. */
export class AclTable {
  readonly #lists: (Acl | null)[] = [OPEN_ACL]
  readonly #uses: number[] = [1]
  /** For the digest: the same list has the same hash on every server, whatever its number. */
  readonly #hashes: number[] = [hashText(keyOf(OPEN_ACL))]
  readonly #byKey = new Map<string, number>([[keyOf(OPEN_ACL), 0]])
  readonly #free: number[] = []

  /** Different lists in use, the open one among them. */
  get count(): number {
    return this.#byKey.size
  }

  /** The number of an equal list, counted once more. */
  take(acl: Acl): number {
    if (acl === OPEN_ACL) return this.#count(0)
    const key = keyOf(acl)
    const known = this.#byKey.get(key)
    if (known !== undefined) return this.#count(known)
    const id = this.#free.pop() ?? this.#lists.length
    this.#lists[id] = acl.map(({ permissions, scheme, id: name }) => ({
      permissions,
      scheme,
      id: name,
    }))
    this.#uses[id] = 1
    this.#hashes[id] = hashText(key)
    this.#byKey.set(key, id)
    return id
  }

  get(id: number): Acl {
    const acl = this.#lists[id]
    assert(acl !== null && acl !== undefined, 'the list is in use')
    return acl
  }

  hashOf(id: number): number {
    return this.#hashes[id] ?? 0
  }

  release(id: number): void {
    const uses = (this.#uses[id] ?? 0) - 1
    assert(uses >= 0, 'a list is released as often as it was taken')
    this.#uses[id] = uses
    if (uses > 0) return
    const acl = this.#lists[id]
    if (acl !== null && acl !== undefined) this.#byKey.delete(keyOf(acl))
    this.#lists[id] = null
    this.#free.push(id)
  }

  #count(id: number): number {
    this.#uses[id] = (this.#uses[id] ?? 0) + 1
    return id
  }
}

function keyOf(acl: Acl): string {
  return JSON.stringify(acl.map((entry) => [entry.permissions, entry.scheme, entry.id]))
}

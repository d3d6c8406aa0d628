import { assert } from '../assert.ts'

const PAGE_BITS = 12
const PAGE_SLOTS = 1 << PAGE_BITS
const PAGE_MASK = PAGE_SLOTS - 1

/** One numeric field of all znodes, in pages, so that growth never copies what is there. */
export class FloatColumn {
  readonly #pages: Float64Array[] = []

  get(slot: number): number {
    const page = this.#pages[slot >> PAGE_BITS]
    assert(page !== undefined, 'the slot was allocated')
    return page[slot & PAGE_MASK] ?? 0
  }

  set(slot: number, value: number): void {
    const index = slot >> PAGE_BITS
    let page = this.#pages[index]
    if (page === undefined) {
      page = new Float64Array(PAGE_SLOTS)
      this.#pages[index] = page
    }
    page[slot & PAGE_MASK] = value
  }
}

/**
 * The same for 32-bit integers, which wrap as ZooKeeper's do. Two classes rather than one of any array:
 * each access then meets one kind of array, which is what lets it be compiled to a load.
 */
export class IntColumn {
  readonly #pages: Int32Array[] = []

  get(slot: number): number {
    const page = this.#pages[slot >> PAGE_BITS]
    assert(page !== undefined, 'the slot was allocated')
    return page[slot & PAGE_MASK] ?? 0
  }

  set(slot: number, value: number): void {
    const index = slot >> PAGE_BITS
    let page = this.#pages[index]
    if (page === undefined) {
      page = new Int32Array(PAGE_SLOTS)
      this.#pages[index] = page
    }
    page[slot & PAGE_MASK] = value
  }
}

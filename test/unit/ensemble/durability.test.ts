import { describe, expect, it } from 'vitest'
import type { Operation } from '../../../server/core/machine/operation.ts'
import type { Entry, Envelope, HardState } from '../../../server/core/raft/message.ts'
import type { RaftOutput } from '../../../server/core/raft/step.ts'
import { Durability } from '../../../server/ensemble/durability.ts'
import type { LogStorage, WriteBatch } from '../../../server/storage/storage.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { encodeBatch, writeRequest } from '../../../server/wire/request-codec.ts'

const NOTHING: RaftOutput = {
  hardState: null,
  entries: [],
  messages: [],
  messagesAfterPersist: [],
  committed: [],
  reads: [],
  accepted: [],
  refused: [],
  snapshotsWanted: [],
}
const STATE: HardState = { term: 3, votedFor: 'b', commit: 0 }

function noop(index: number): Entry {
  return { kind: 'noop', index, term: 3 }
}

function vote(to: string): Envelope {
  return { from: 'a', to, message: { kind: 'voteReply', term: 3, granted: true } }
}

function requests(index: number, ...operations: readonly Operation[]): Entry {
  const writer = new JuteWriter()
  for (const operation of operations) {
    const sender = { session: 1, origin: 2, connection: 3, ticket: 4 }
    writeRequest(writer, { ...sender, identities: [], operation })
  }
  const payload = encodeBatch(5, operations.length, writer.copy())
  return { kind: 'requests', index, term: 3, payload }
}

/** A log whose writes become durable when the test says so. */
function bench() {
  const written: WriteBatch[] = []
  const waiting: (() => void)[] = []
  const happened: string[] = []
  const disk = { full: false }
  const log: LogStorage = {
    append: (batch, durable) => {
      written.push(batch)
      waiting.push(durable)
    },
    release: () => {},
    resetTo: () => {},
    bytes: 0,
    segments: 1,
    get full() {
      return disk.full
    },
    close: (done) => done(),
  }
  const durability = new Durability(
    log,
    { term: 0, votedFor: null, commit: 0 },
    {
      send: (messages) => happened.push(`send ${messages.map(({ to }) => to).join(' ')}`),
      durable: (last) => happened.push(last === null ? 'durable' : `durable ${last.index}`),
    },
  )
  return { durability, written, happened, disk, sync: () => waiting.shift()?.() }
}

describe('messages that depend on a write', () => {
  it('leave when it is durable, before Raft hears of that', () => {
    const { durability, happened, sync } = bench()
    durability.persist({ ...NOTHING, hardState: STATE, messagesAfterPersist: [vote('b')] })
    expect(happened).toEqual([])
    expect(durability.settled).toBe(false)
    sync()
    expect(happened).toEqual(['send b', 'durable'])
    expect(durability.settled).toBe(true)
  })

  it('leave at once when nothing is on its way to the disk', () => {
    const { durability, happened, written } = bench()
    durability.persist({ ...NOTHING, messagesAfterPersist: [vote('b')] })
    expect(happened).toEqual(['send b'])
    expect(written).toEqual([])
  })

  it('wait for the writes before them, and keep their order', () => {
    const { durability, happened, sync } = bench()
    durability.persist({ ...NOTHING, entries: [noop(1)], messagesAfterPersist: [vote('b')] })
    durability.persist({ ...NOTHING, messagesAfterPersist: [vote('c')] })
    durability.persist({ ...NOTHING, entries: [noop(2)], messagesAfterPersist: [vote('d')] })
    expect(happened).toEqual([])
    sync()
    expect(happened).toEqual(['send b', 'send c', 'durable 1'])
    sync()
    expect(happened.slice(3)).toEqual(['send d', 'durable 2'])
  })

  it('never leave once this is closed, nor when a snapshot has replaced the log', () => {
    const closed = bench()
    closed.durability.persist({ ...NOTHING, hardState: STATE, messagesAfterPersist: [vote('b')] })
    closed.durability.close()
    closed.sync()
    expect(closed.happened).toEqual([])
    const replaced = bench()
    replaced.durability.persist({ ...NOTHING, hardState: STATE, messagesAfterPersist: [vote('b')] })
    replaced.durability.dropHeld()
    replaced.sync()
    expect(replaced.happened).toEqual(['durable'])
  })
})

describe('the hard state', () => {
  it('is the newest that was handed in', () => {
    const { durability } = bench()
    expect(durability.hardState.term).toBe(0)
    durability.persist({ ...NOTHING, hardState: STATE })
    durability.persist({ ...NOTHING, entries: [noop(1)] })
    expect(durability.hardState).toBe(STATE)
  })

  it('of a founder holds once it is durable', () => {
    const { durability, sync, happened } = bench()
    durability.found(STATE, noop(1), () => happened.push('founded'))
    expect(durability.hardState.term).toBe(0)
    sync()
    expect(durability.hardState).toBe(STATE)
    expect(happened).toEqual(['founded'])
  })
})

describe('the reserve of a full disk', () => {
  const remove: Operation = { kind: 'delete', path: '/a', version: -1 }
  const close: Operation = { kind: 'closeSession' }
  const expire: Operation = {
    kind: 'expireSession',
    target: 1,
    decidedTerm: 3,
    ownerOrigin: 2,
    ownerConnection: 3,
  }

  it.each<{ what: string; full: boolean; entries: Entry[]; reserved: boolean }>([
    { what: 'a close', full: true, entries: [requests(1, close)], reserved: true },
    { what: 'an expiry', full: true, entries: [requests(1, expire)], reserved: true },
    {
      what: 'a close among others',
      full: true,
      entries: [requests(1, remove, close)],
      reserved: true,
    },
    {
      what: 'a close behind others',
      full: true,
      entries: [requests(1, remove), requests(2, close)],
      reserved: true,
    },
    { what: 'a delete', full: true, entries: [requests(1, remove)], reserved: false },
    { what: 'a close with room', full: false, entries: [requests(1, close)], reserved: false },
  ])('$what: $reserved', ({ full, entries, reserved }) => {
    const { durability, written, disk } = bench()
    disk.full = full
    durability.persist({ ...NOTHING, entries })
    expect(written).toEqual([expect.objectContaining({ reserved })])
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { compress } from 'snappyjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CodedError } from '../../../server/errors.ts'
import { adler32 } from '../../../server/migrate/adler32.ts'
import { readSource, type Source } from '../../../server/migrate/source.ts'
import { CONTAINER_OWNER, ttlOwner } from '../../../server/migrate/source-tree.ts'
import {
  closeSession,
  createBody,
  createTransaction,
  deleteTransaction,
  EPOCH,
  logFile,
  logHeader,
  multiTransaction,
  openSession,
  record,
  setAclTransaction,
  setDataTransaction,
  snapshotFile,
  transaction,
  writeSource,
} from './zookeeper-files.ts'

const SESSION = 0x100000abcdef0001n

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-source-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function read(files: Readonly<Record<string, Uint8Array | string>>): Promise<Source> {
  const path = writeSource(directory, files)
  return readSource({ data: path, log: path })
}

/** The refusal of files that cannot be read. */
async function refused(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const error: unknown = await read(files).then(
    () => 'it was read',
    (reason: unknown) => reason,
  )
  if (!(error instanceof CodedError)) throw new Error(`not refused: ${String(error)}`)
  return `${error.code}: ${error.message.replace(directory, '')}`
}

const paths = ({ tree }: Source): string[] =>
  [...tree.znodes.keys()].filter((path) => path !== '/' && !path.startsWith('/zookeeper')).sort()

it('sums as Adler did', () => {
  expect(adler32(Buffer.from('Wikipedia'))).toBe(0x11e60398)
  const long = Buffer.alloc(100_000, 255)
  expect(adler32(long.subarray(7), adler32(long.subarray(0, 7)))).toBe(adler32(long))
})

describe('transactions', () => {
  it('are done in their order, from the snapshot on', async () => {
    const source = await read({
      'snapshot.2': snapshotFile({ znodes: [{ path: '/kept', zxid: 1, creations: 4 }] }),
      'log.1': logFile([
        createTransaction(1, '/kept', 1),
        createTransaction(2, '/never', 2),
        createTransaction(3, '/new', 1),
        setDataTransaction(4, '/new', 1),
      ]),
      'log.5': logFile([setAclTransaction(5, '/new', 1), createTransaction(6, '/kept/child', 5)]),
    })
    expect(paths(source)).toEqual(['/kept', '/kept/child', '/new'])
    expect(source.tree.znodes.get('/kept')).toMatchObject({ creations: 5, pzxid: 6, czxid: 1 })
    const created = source.tree.znodes.get('/new')
    expect(created).toMatchObject({ czxid: 3, mzxid: 4, version: 1, aversion: 1, mtimeMs: 1_004 })
    expect(created?.acl).toEqual([{ permissions: 1, scheme: 'ip', id: '10.0.0.1' }])
    expect(Buffer.from(created?.data ?? []).toString()).toBe('version 1')
    expect(source).toMatchObject({ lastZxid: 6, epoch: 0, timeMs: 1_006, transactions: 4 })
  })

  it('take their session and its ephemerals away, named in the record or not', async () => {
    for (const named of [['/mine', '/other/mine'], null]) {
      const source = await read({
        'snapshot.0': snapshotFile(),
        'log.1': logFile([
          openSession(1, SESSION),
          createTransaction(2, '/other', 1),
          createTransaction(3, '/mine', 2, SESSION),
          createTransaction(4, '/other/mine', 1, SESSION),
          closeSession(5, SESSION, named),
        ]),
      })
      expect(paths(source)).toEqual(['/other'])
      expect(source.tree.sessions.size).toBe(0)
      expect(source.tree.znodes.get('/other')).toMatchObject({ creations: 1, pzxid: 5 })
    }
  })

  it('of a multi are done together, or not at all when one of them failed', async () => {
    const create = (path: string, count: number) => ({ type: 1, write: createBody(path, count) })
    const error = { type: -1, write: (writer: { int(value: number): void }) => writer.int(-101) }
    const source = await read({
      'snapshot.0': snapshotFile(),
      'log.1': logFile([
        multiTransaction(1, [create('/a', 1), create('/a/b', 1)]),
        multiTransaction(2, [create('/c', 2), error]),
      ]),
    })
    expect(paths(source)).toEqual(['/a', '/a/b'])
    expect(source.lastZxid).toBe(2)
  })

  it('make containers, and znodes with a time to live; an impossible time makes none', async () => {
    const timed = (zxid: number, path: string, ttlMs: number): Buffer =>
      transaction(21, zxid, (writer) => {
        createBody(path, zxid)(writer)
        writer.truncate(writer.length - 5)
        writer.int(zxid)
        writer.long(ttlMs)
      })
    const container = transaction(19, 3, (writer) => {
      createBody('/container', 3)(writer)
      writer.truncate(writer.length - 5)
      writer.int(3)
    })
    const source = await read({
      'snapshot.0': snapshotFile(),
      'log.1': logFile([timed(1, '/timed', 5_000), timed(2, '/impossible', -1), container]),
    })
    expect(paths(source)).toEqual(['/container', '/timed'])
    const lives = ['/container', '/timed'].map((path) => {
      const znode = source.tree.znodes.get(path)
      return znode === undefined ? null : source.tree.lifeOf(znode)
    })
    expect(lives).toEqual([{ kind: 'container' }, { kind: 'ttl', ttlMs: 5_000 }])
  })

  it('of a session that is closed without paths may be followed by a digest', async () => {
    const digest = Buffer.alloc(12)
    digest.writeInt32BE(2)
    const source = await read({
      'snapshot.0': snapshotFile(),
      'log.1': logFile([
        createTransaction(1, '/mine', 1, SESSION),
        Buffer.concat([closeSession(2, SESSION, null), digest]),
      ]),
    })
    expect(paths(source)).toEqual([])
    expect(source.digestMatches).toBe(false)
  })

  it('are held against the newest digest of the tree', async () => {
    const digest = Buffer.alloc(12)
    digest.writeInt32BE(2)
    const error = (zxid: number) => transaction(-1, zxid, (writer) => writer.int(-101))
    const compared = async (...behind: readonly Buffer[]) => {
      const first = Buffer.concat([createTransaction(1, '/a', 1), digest])
      const log = logFile([first, ...behind])
      return (await read({ 'snapshot.0': snapshotFile(), 'log.1': log })).digestMatches
    }
    expect(await compared()).toBe(false)
    expect(await compared(error(2))).toBe(false)
    expect(await compared(deleteTransaction(2, '/a'))).toBe(null)
    digest.writeInt32BE(1)
    expect(await compared()).toBe(null)
  })

  it('never count a parent back, and give the ACL that the snapshot could not name', async () => {
    const source = await read({
      'snapshot.1': snapshotFile({
        znodes: [
          { path: '/parent', zxid: 9, creations: 5 },
          { path: '/parent/late', zxid: 3, aclNumber: 99n },
        ],
        digestZxid: 2,
      }),
      'log.2': logFile([
        createTransaction(2, '/parent/early', 2),
        createTransaction(3, '/parent/late', 3),
      ]),
    })
    expect(source.tree.znodes.get('/parent')).toMatchObject({ creations: 5, pzxid: 9 })
    expect(source.tree.znodes.get('/parent/late')?.acl).toEqual([
      { permissions: 31, scheme: 'world', id: 'anyone' },
    ])
    const unnamed = { znodes: [{ path: '/x', aclNumber: 99n }] }
    expect(await refused({ 'snapshot.3': snapshotFile(unnamed) })).toContain('/x has an ACL')
  })

  it('never take the root away', async () => {
    for (const content of [deleteTransaction(1, '/'), closeSession(1, SESSION, ['/'])]) {
      const refusal = await refused({ 'snapshot.0': snapshotFile(), 'log.1': logFile([content]) })
      expect(refusal).toMatch(/^MIGRATION_SOURCE_DAMAGED: .* makes no sense$/)
    }
  })

  it('that the snapshot had seen already change nothing that is newer', async () => {
    // It was begun at 1 and finished behind 7: /a is deleted, made again and has a child by then.
    const source = await read({
      'snapshot.1': snapshotFile({
        znodes: [
          { path: '/a', zxid: 4, creations: 1, aclNumber: 99n },
          { path: '/a/b', zxid: 5 },
        ],
        digestZxid: 7,
      }),
      'log.1': logFile([
        createTransaction(1, '/a', 1),
        setDataTransaction(2, '/a', 1),
        deleteTransaction(3, '/a'),
        createTransaction(4, '/a', 2),
        createTransaction(5, '/a/b', 1),
        createTransaction(6, '/c', 3),
        deleteTransaction(7, '/c'),
      ]),
    })
    expect(paths(source)).toEqual(['/a', '/a/b'])
    expect(source.tree.znodes.get('/a')).toMatchObject({ czxid: 4, version: 0, creations: 1 })
    expect(source.tree.znodes.get('/')).toMatchObject({ creations: 3, pzxid: 7 })
  })
})

describe('kinds of znodes', () => {
  it('are told by their owner; a session of server 255 is no time to live', async () => {
    const server255 = ttlOwner(77)
    const znodes = [
      { path: '/container', owner: CONTAINER_OWNER },
      { path: '/timed', owner: ttlOwner(1_234) },
      { path: '/session', owner: SESSION },
      { path: '/of-255', owner: server255 },
    ]
    const { tree } = await read({
      'snapshot.0': snapshotFile({ znodes, sessions: [SESSION, server255] }),
    })
    const kinds = znodes.map(({ path }) => {
      const znode = tree.znodes.get(path)
      return znode === undefined ? null : tree.lifeOf(znode).kind
    })
    expect(kinds).toEqual(['container', 'ttl', 'ephemeral', 'ephemeral'])
  })
})

describe('the newest snapshot', () => {
  const older = snapshotFile()
  const log = logFile([1, 2, 3].map((zxid) => createTransaction(zxid, `/n${zxid}`, zxid)))
  const newer = snapshotFile({
    znodes: [1, 2].map((zxid) => ({ path: `/n${zxid}`, zxid, creations: 0 })),
  })

  it.each([
    ['as it is', 'snapshot.2', newer],
    ['by gzip', 'snapshot.2.gz', gzipSync(newer)],
    ['by snappy', 'snapshot.2.snappy', snappyStream(newer)],
  ])('is read %s', async (_, name, content) => {
    const source = await read({ 'snapshot.0': older, [name]: content, 'log.1': log })
    expect(source.snapshotFile).toContain(name)
    expect(paths(source)).toEqual(['/n1', '/n2', '/n3'])
    expect(source.transactions).toBe(1)
  })

  it.each([
    ['cut off', newer.subarray(0, -20), 'snapshot.2'],
    ['changed in one byte of data', flipped(newer, newer.indexOf('snapshot')), 'snapshot.2'],
    ['cut off in its compression', gzipSync(newer).subarray(0, -30), 'snapshot.2.gz'],
    ['no snappy stream', snappyStream(newer).subarray(1), 'snapshot.2.snappy'],
    ['damaged in snappy', flipped(snappyStream(newer), 21), 'snapshot.2.snappy'],
    ['followed by more', Buffer.concat([newer, Buffer.alloc(3)]), 'snapshot.2'],
  ])('is passed over when it is %s', async (_, content, name) => {
    const source = await read({ 'snapshot.0': older, [name]: content, 'log.1': log })
    expect(source.snapshotFile).toContain('snapshot.0')
    expect(source.transactions).toBe(3)
    expect(source.notes.join()).toContain(name)
  })

  it('is passed over when the log does not reach to where it was finished', async () => {
    const unfinished = snapshotFile({ digestZxid: 9 })
    const source = await read({ 'snapshot.0': older, 'snapshot.2': unfinished, 'log.1': log })
    expect(source.snapshotFile).toContain('snapshot.0')
    expect(await refused({ 'snapshot.0': flipped(older, 40), 'snapshot.2': unfinished })).toContain(
      'snapshot.2 at offset 0: the log does not reach',
    )
  })

  it('has to be there', async () => {
    expect(await refused({ 'log.1': log })).toMatch(/^MIGRATION_SOURCE_UNREADABLE: .*no snapshot/)
    const nowhere = join(directory, 'nowhere')
    const missing = readSource({ data: nowhere, log: nowhere })
    await expect(missing).rejects.toMatchObject({ code: 'MIGRATION_SOURCE_UNREADABLE' })
  })
})

describe('the log', () => {
  const snapshot = { 'snapshot.0': snapshotFile() }
  const three = [1, 2, 3].map((zxid) => record(createTransaction(zxid, `/n${zxid}`, zxid)))
  const whole = Buffer.concat([logHeader(), ...three])
  const [first = Buffer.alloc(0), second = Buffer.alloc(0), third = Buffer.alloc(0)] = three
  const secondAt = logHeader().length + first.length
  const thirdAt = secondAt + second.length

  it('ends at a record that was not written to its end, wherever that is', async () => {
    const padding = Buffer.alloc(5_000)
    for (let bytes = 0; bytes < third.length; bytes += 1) {
      const torn = Buffer.concat([whole.subarray(0, thirdAt + bytes), padding])
      const source = await read({ ...snapshot, 'log.1': torn })
      expect(source.lastZxid, `${bytes} bytes of the last record`).toBe(2)
      const source2 = await read({ ...snapshot, 'log.1': whole.subarray(0, thirdAt + bytes) })
      expect(source2.lastZxid, `${bytes} bytes, and no padding`).toBe(2)
    }
  })

  it('goes on in the next file behind such a record', async () => {
    const torn = Buffer.concat([whole.subarray(0, thirdAt + 9), Buffer.alloc(64)])
    const next = logFile([createTransaction(3, '/again', 3), createTransaction(4, '/n4', 4)])
    const source = await read({ ...snapshot, 'log.1': torn, 'log.3': next })
    expect(paths(source)).toEqual(['/again', '/n1', '/n2', '/n4'])
    expect(source.notes.join()).toContain(`offset ${thirdAt} was not written to its end`)
  })

  it('may be empty, or end within its header', async () => {
    for (const content of [Buffer.alloc(0), logHeader().subarray(0, 9), logHeader()]) {
      expect((await read({ ...snapshot, 'log.1': content })).lastZxid).toBe(0)
    }
  })

  it('is refused with file and offset for damage before its end', async () => {
    for (let at = secondAt; at < thirdAt; at += 1) {
      const refusal = await refused({ ...snapshot, 'log.1': flipped(whole, at) })
      expect(refusal).toContain(`version-2/log.1 at offset ${secondAt}: `)
      expect(refusal).toContain('MIGRATION_SOURCE_DAMAGED')
    }
    const zeroed = Buffer.from(whole)
    zeroed.fill(0, secondAt, thirdAt)
    expect(await refused({ ...snapshot, 'log.1': zeroed })).toContain(
      `at offset ${secondAt}: a record is damaged, and a whole record follows at offset ${thirdAt}`,
    )
  })

  it('is refused for a last record that is whole and wrong', async () => {
    const refusal = await refused({ ...snapshot, 'log.1': flipped(whole, thirdAt + 40) })
    expect(refusal).toContain(`at offset ${thirdAt}: the checksum of a record does not match`)
  })

  it('is refused where transactions are missing', async () => {
    const create = (zxid: number) => createTransaction(zxid, `/n${zxid}`, 1)
    const gap = { ...snapshot, 'log.1': logFile([create(1), create(3)]) }
    expect(await refused(gap)).toContain('transactions between 0x1 and 0x3 are missing')
    const late = { ...snapshot, 'log.1': logFile([create(1), create(EPOCH + 2)]) }
    expect(await refused(late)).toContain('between 0x1 and 0x100000002 are missing')
    const epochs = { ...snapshot, 'log.1': logFile([create(1), create(3 * EPOCH + 1)]) }
    expect((await read(epochs)).epoch).toBe(3)
  })

  it('is refused for what is not known', async () => {
    const odd = { ...snapshot, 'log.1': logFile([transaction(99, 1)]) }
    expect(await refused(odd)).toBe(
      'MIGRATION_SOURCE_UNSUPPORTED: /zookeeper/version-2/log.1 at offset 16: a transaction of type 99',
    )
    const future = Buffer.from(whole)
    future.writeInt32BE(3, 4)
    expect(await refused({ ...snapshot, 'log.1': future })).toContain('log format 3')
    const beyond = transaction(-1, 1, (writer) => writer.int(-101))
    beyond.writeBigInt64BE(2n ** 60n, 12)
    expect(await refused({ ...snapshot, 'log.1': logFile([beyond]) })).toContain(
      'MIGRATION_SOURCE_UNSUPPORTED',
    )
  })
})

describe('the epoch', () => {
  it('is the newest that the server heard of', async () => {
    const files = { 'snapshot.0': snapshotFile(), currentEpoch: '6\n', acceptedEpoch: '7' }
    expect((await read(files)).epoch).toBe(7)
    expect(await refused({ ...files, acceptedEpoch: 'x' })).toContain('acceptedEpoch')
  })
})

describe('any bytes', () => {
  /** Reads what is there, or says with a code why not. */
  async function total(files: Readonly<Record<string, Uint8Array>>): Promise<void> {
    await read(files).then(
      () => undefined,
      (error: unknown) => expect(error).toBeInstanceOf(CodedError),
    )
  }

  const names = fc.constantFrom('snapshot.0', 'snapshot.0.gz', 'snapshot.0.snappy', 'log.1')
  const log = logFile([
    openSession(1, SESSION),
    createTransaction(2, '/a', 1, SESSION),
    multiTransaction(3, [{ type: 1, write: createBody('/b', 2) }]),
    closeSession(4, SESSION, ['/a']),
  ])
  const wholes: Readonly<Record<string, Buffer>> = {
    'snapshot.0': snapshotFile({ znodes: [{ path: '/c' }], digestZxid: 0 }),
    'snapshot.0.gz': gzipSync(snapshotFile()),
    'snapshot.0.snappy': snappyStream(snapshotFile()),
    'log.1': log,
  }

  it('are read or refused, never anything else', async () => {
    await fc.assert(
      fc.asyncProperty(names, fc.uint8Array({ maxLength: 300 }), async (name, bytes) => {
        await total({ 'snapshot.0': snapshotFile(), 'log.1': log, [name]: bytes })
      }),
      { numRuns: 100 },
    )
  })

  it('in the place of some bytes of a file as well', async () => {
    const place = fc.record({
      name: names,
      at: fc.nat(600),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(place, async ({ name, at, bytes }) => {
        const content = Buffer.from(wholes[name] ?? [])
        content.set(
          bytes.subarray(0, Math.max(0, content.length - at)),
          Math.min(at, content.length),
        )
        await total({ 'snapshot.0': snapshotFile(), 'log.1': log, [name]: content })
      }),
      { numRuns: 150 },
    )
  })

  it('as the content of a record', async () => {
    const content = fc.record({
      type: fc.constantFrom(-11, -10, -1, 1, 2, 5, 7, 13, 14, 15, 16, 19, 20, 21),
      rest: fc.uint8Array({ maxLength: 80 }),
    })
    await fc.assert(
      fc.asyncProperty(content, async ({ type, rest }) => {
        const written = transaction(type, 1, (writer) => writer.raw(rest))
        await total({ 'snapshot.0': snapshotFile(), 'log.1': logFile([written]) })
      }),
      { numRuns: 150 },
    )
  })
})

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at] = (changed[at] ?? 0) ^ 0x55
  return changed
}

/** As snappy-java writes it: a header, and blocks with their length. */
function snappyStream(content: Buffer): Buffer {
  const parts = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (let at = 0; at < content.length; at += 100) {
    const block = Buffer.from(compress(new Uint8Array(content.subarray(at, at + 100))))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

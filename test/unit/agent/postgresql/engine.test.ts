import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Coordination, TreeZnode } from '../../../../agent/coordination/coordination.ts'
import type { PostgresqlView } from '../../../../agent/core/cluster/postgresql-plan.ts'
import { type EngineCall, UNFENCED } from '../../../../agent/engines/engine.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { PatroniClient } from '../../../../agent/engines/postgresql/patroni-client.ts'
import { PostgresqlEngine } from '../../../../agent/engines/postgresql/postgresql-engine.ts'
import { PostgresqlSession } from '../../../../agent/engines/postgresql/postgresql-session.ts'
import { podOfSlot, slotOf } from '../../../../agent/engines/postgresql/replication-slots.ts'
import { RoleLabel } from '../../../../agent/kubernetes/role-label.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { optionsWith } from './engine-options.ts'

const SYSTEM_ID = 7_321_456_789_012_345_678n
const CLOSED_PORT = 1

/** What the control file of a primary says that was stopped in order. */
const SHUT_DOWN = {
  version: 1_300,
  state: 1,
  checkPoint: 500n,
  timeline: 1,
  replayed: 0n,
  replayedTimeline: 0,
}

/** A double of the tree: a few znodes, and whether it answers. */
class Znodes {
  readonly data = new Map<string, string>()
  isAway = false

  readonly coordination = {
    read: async (path: string) => this.#read(path),
    delete: async (path: string) => this.data.delete(path),
    children: async (path: string) =>
      [...this.data.keys()].map((key) => key.slice(path.length + 1).split('/')[0]),
  } as unknown as Coordination

  #read(path: string): TreeZnode | null {
    if (this.isAway) throw new Error('away')
    const text = this.data.get(path)
    if (text === undefined) return null
    return { data: Buffer.from(text), version: 0, owner: '0', czxid: '1' }
  }
}

describe('what a disk holds, before a start', () => {
  let volume: string
  let disk: MemberDisk
  let tree: Znodes

  beforeEach(() => {
    volume = mkdtempSync(join(tmpdir(), 'quorate-pgdata-'))
    disk = new MemberDisk([volume])
    tree = new Znodes()
  })
  afterEach(() => rmSync(volume, { recursive: true, force: true }))

  /** No Patroni runs beside it. */
  function engineOf(volatile = false): PostgresqlEngine {
    const place = { host: '127.0.0.1', port: CLOSED_PORT, user: '', passwordFile: '' }
    return new PostgresqlEngine(
      optionsWith({
        disk,
        dataDirectory: join(volume, 'pgroot', 'data'),
        coordination: tree.coordination,
        patroni: new PatroniClient({
          ...place,
          lagBytesMax: 1,
          timeoutMs: 500,
          treeTimeoutMs: 500,
        }),
        session: new PostgresqlSession({ ...place, timeoutMs: 500 }),
        volatile,
      }),
    )
  }

  /** An engine that has read what the tree has. */
  async function informed(): Promise<PostgresqlEngine> {
    const engine = engineOf()
    const known = async () => {
      const { record } = await engine.observe()
      return record !== null
    }
    await waitFor('the tree is read', known, 5_000)
    return engine
  }

  function fill(withControlFile: boolean): void {
    const data = join(volume, 'pgroot', 'data')
    mkdirSync(join(data, 'global'), { recursive: true })
    writeFileSync(join(data, 'PG_VERSION'), '15\n')
    if (!withControlFile) return
    const bytes = Buffer.alloc(8_192)
    bytes.writeBigUInt64LE(SYSTEM_ID)
    writeFileSync(join(data, 'global', 'pg_control'), bytes)
  }

  it('is nothing, or the data of the cluster in its control file', () => {
    expect(engineOf().discover().kind).toBe('empty')
    fill(true)
    expect(engineOf().discover()).toEqual({
      kind: 'member',
      clusterId: SYSTEM_ID.toString(),
      incarnation: '',
      departed: false,
    })
  })

  it('is nothing while a copy has no control file', () => {
    fill(false)
    expect(engineOf().discover().kind).toBe('empty')
  })

  it('is nothing while the tree does not name what was begun on an empty disk', async () => {
    await engineOf().prepare('join')
    fill(true)
    expect(engineOf().discover().kind).toBe('empty')
    tree.data.set('/service/q/initialize', '')
    expect((await informed()).discover().kind).toBe('empty')
    tree.data.set('/service/q/initialize', SYSTEM_ID.toString())
    expect((await informed()).discover().kind).toBe('member')
  })

  it('is moved aside when it is half of something, with what its founder left in the tree', async () => {
    await engineOf().prepare('join')
    fill(true)
    tree.data.set('/service/q/initialize', '')
    await engineOf().prepare('join')
    expect(existsSync(join(volume, 'pgroot'))).toBe(false)
    expect(readdirSync(volume).some((name) => name.startsWith('stale-'))).toBe(true)
    expect(tree.data.has('/service/q/initialize')).toBe(false)
    expect(disk.founding).not.toBeNull()
  })

  it('stays, with the tree, when there is a cluster to copy from', async () => {
    tree.data.set('/service/q/initialize', '')
    tree.data.set('/service/q/leader', 'q-1')
    await engineOf().prepare('join')
    expect(tree.data.has('/service/q/initialize')).toBe(true)
  })

  it('was a cluster of pods without volumes, of which nothing is left', async () => {
    const members = '/service/q/members/q-1'
    for (const key of ['/service/q/initialize', '/service/q/sync', '/service/q/status', members]) {
      tree.data.set(key, 'x')
    }
    await engineOf().prepare('join')
    expect(tree.data.size).toBe(4)
    await engineOf(true).prepare('join')
    expect([...tree.data.keys()]).toEqual([members])
  })

  /** A control file as of PostgreSQL 11, and the history of the later timelines. */
  function end(fields: Partial<typeof SHUT_DOWN>, histories: readonly string[] = []): void {
    const data = join(volume, 'pgroot', 'data')
    const { version, state, checkPoint, timeline, replayed, replayedTimeline } = {
      ...SHUT_DOWN,
      ...fields,
    }
    const bytes = Buffer.alloc(8_192)
    bytes.writeBigUInt64LE(SYSTEM_ID)
    bytes.writeUInt32LE(version, 8)
    bytes.writeUInt32LE(state, 16)
    bytes.writeBigUInt64LE(checkPoint, 32)
    bytes.writeUInt32LE(timeline, 48)
    bytes.writeBigUInt64LE(replayed, 136)
    bytes.writeUInt32LE(replayedTimeline, 144)
    mkdirSync(join(data, 'pg_wal'), { recursive: true })
    mkdirSync(join(data, 'global'), { recursive: true })
    writeFileSync(join(data, 'global', 'pg_control'), bytes)
    for (const name of histories) writeFileSync(join(data, 'pg_wal', name), '')
  }

  const standby = { state: 5, replayed: 900n, replayedTimeline: 1 }
  const ends: [string, Partial<typeof SHUT_DOWN>, string[], string][] = [
    ['of the first primary, stopped', {}, [], '1.1.500'],
    ['of the first primary, killed', { state: 6 }, [], '1.1.500'],
    ['of a standby', standby, [], '1.0.900'],
    ['of a standby that was stopped', { ...standby, state: 2 }, [], '1.0.900'],
    // Its first checkpoint is yet to come.
    [
      'of one that was promoted a moment ago',
      { state: 6, replayed: 900n, replayedTimeline: 2 },
      ['00000002.history'],
      '2.1.900',
    ],
    // What it replayed last is older.
    [
      'of a standby that has begun to follow another',
      standby,
      ['00000002.history', '0000000A.history', '000000010000000000000001'],
      '10.0.900',
    ],
    ['of a former primary that was to follow', {}, ['00000002.history'], '2.0.500'],
    // Of which the last fields may be elsewhere.
    ['of a version to come', { ...standby, version: 2_000 }, [], '1.0.500'],
  ]
  it.each(ends)('says how far it goes: %s', async (_, fields, histories, position) => {
    end(fields, histories)
    expect(await engineOf().position()).toBe(position)
  })

  it('says of a copy of a primary that it did not lead', async () => {
    end({ state: 6 })
    writeFileSync(join(volume, 'pgroot', 'data', 'backup_label'), '')
    expect(await engineOf().position()).toBe('1.0.500')
  })

  it('is known to the tree once somebody has led there', async () => {
    fill(true)
    tree.data.set('/service/q/initialize', SYSTEM_ID.toString())
    const begun = (await (await informed()).observe()).record
    expect(begun).toEqual({ systemId: SYSTEM_ID.toString(), leader: null, hasLed: false })
    tree.data.set('/service/q/status', '{"optime":500}')
    expect((await (await informed()).observe()).record?.hasLed).toBe(true)
  })

  it('is not touched by the start of a member', async () => {
    fill(true)
    tree.isAway = true
    await engineOf().prepare('resume')
    expect(engineOf().discover().kind).toBe('member')
  })

  it('gives no start away when the tree does not answer', async () => {
    tree.isAway = true
    await expect(engineOf().prepare('join')).rejects.toThrow('away')
  })
})

describe('the slot of a member that was removed', () => {
  it('is dropped, and left alone for a while when Patroni makes it again', async () => {
    const status = { state: 'running', role: 'primary', database_system_identifier: '7' }
    const dropped: string[] = []
    const call = { fence: UNFENCED } as EngineCall<PostgresqlView>
    let nowMs = 1_000
    const volume = mkdtempSync(join(tmpdir(), 'quorate-pgdata-'))
    const engine = new PostgresqlEngine(
      optionsWith({
        disk: new MemberDisk([volume]),
        dataDirectory: volume,
        coordination: new Znodes().coordination,
        // Doubles of Patroni and of its server, whose slot comes back at once.
        patroni: {
          status: async () => ({ usable: true, is: status }),
          loops: async () => true,
          members: async () => [],
          replication: async () => ({ synchronous: true, mode: 'synchronous' }),
        } as unknown as PatroniClient,
        session: {
          look: async () => ({ recovering: false, idleSlots: ['q_3'] }),
          dropSlot: async (slot: string) => dropped.push(slot),
        } as unknown as PostgresqlSession,
        slotEveryMs: 300_000,
        nowMs: () => nowMs,
      }),
    )
    expect((await engine.observe()).idleSlots).toEqual(['q-3'])
    await engine.perform('dropSlot', { pod: 'q-3' }, call)
    expect(dropped).toEqual(['q_3'])
    nowMs += 299_999
    const { idleSlots, members } = await engine.observe()
    expect([idleSlots, members]).toEqual([[], []])
    nowMs += 1
    expect((await engine.observe()).members.map(({ name }) => name)).toEqual(['q-3'])
    rmSync(volume, { recursive: true, force: true })
  })
})

describe('the names of slots', () => {
  it.each([
    ['my-pg', 'my-pg-0', 'my_pg_0'],
    ['q', 'q-12', 'q_12'],
  ])('of the pods of %s', (name, pod, slot) => {
    expect(slotOf(pod)).toBe(slot)
    expect(podOfSlot(slot, name)).toBe(pod)
  })

  it.each(['q_x', 'q_01', 'other_1', 'q_', 'qq_1', 'q_1_2'])('%s is no pod’s', (slot) => {
    expect(podOfSlot(slot, 'q')).toBeNull()
  })
})

describe('the label of a role', () => {
  const patches: (string | null)[] = []
  let status = 200
  let nowMs = 0
  const label = new RoleLabel({
    rest: {
      call: async (_method, _path, body) => {
        const { metadata } = body as { metadata: { labels: { role: string | null } } }
        patches.push(metadata.labels.role)
        return { status, body: null }
      },
    },
    namespace: 'n',
    pod: 'q-0',
    label: 'role',
    retryMs: 5_000,
    nowMs: () => nowMs,
    log: () => {},
  })
  const settle = () => new Promise(setImmediate)

  it('is written once, removed, and tried again after a refusal', async () => {
    for (const role of ['primary', 'primary']) {
      label.want(role)
      await settle()
    }
    expect(patches).toEqual(['primary'])
    status = 403
    for (const atMs of [0, 1_000, 5_000]) {
      nowMs = atMs
      label.want(null)
      await settle()
    }
    expect(patches).toEqual(['primary', null, null])
    status = 200
    label.want('primary')
    await settle()
    expect(patches.at(-1)).toBe('primary')
  })
})

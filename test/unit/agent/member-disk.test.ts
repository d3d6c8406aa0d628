import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MemberDisk } from '../../../agent/engines/member-disk.ts'
import { QuorateEngine } from '../../../agent/engines/quorate/quorate-engine.ts'
import { observation, set } from './observations.ts'

describe('the disk of a member', () => {
  let root: string
  let data: string
  let log: string
  let disk: MemberDisk

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'quorate-disk-'))
    data = join(root, 'data')
    log = join(root, 'log')
    mkdirSync(data)
    mkdirSync(log)
    disk = new MemberDisk([data, log])
  })

  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const isNote = (name: string) => name.startsWith('agent-')
  const sized = (sum: number, name: string) => sum + statSync(join(data, 'stale-t1', name)).size

  function identity(clusterId: string, id = 'i1'): void {
    const line = `${JSON.stringify({ format: 1, clusterId, name: 'q-0', id, abstain: false })}\n`
    const checksum = crc32(line).toString(16).padStart(8, '0')
    writeFileSync(join(data, 'identity.json'), `${line}${checksum}\n`)
  }

  function engine(): QuorateEngine {
    return new QuorateEngine({
      disk,
      dataDirectory: data,
      pod: 'q-0',
      ordinal: 0,
      host: '127.0.0.1',
      httpPort: 1,
      peerPort: 2888,
      clientPorts: { port: 2181, sslPort: null },
      token: '',
      timeoutMs: 100,
      peerAddress: (ordinal) => `q-${ordinal}.q:2888`,
    })
  }

  it('is empty, marked, a member, removed', () => {
    expect(engine().discover()).toEqual({ kind: 'empty', founding: null })
    identity('')
    disk.writeFounding('m1')
    expect(engine().discover()).toEqual({ kind: 'empty', founding: 'm1' })
    identity('c1')
    const member = { kind: 'member', clusterId: 'c1', incarnation: 'i1' }
    expect(engine().discover()).toEqual({ ...member, departed: false })
    disk.markDeparted('i1', 'now')
    expect(engine().discover()).toEqual({ ...member, departed: true })
    disk.clearDeparted()
    disk.clearDeparted()
    expect(engine().discover()).toEqual({ ...member, departed: false })
    disk.markDeparted('i1', 'now')
    identity('c1', 'i2')
    expect(engine().discover()).toMatchObject({ incarnation: 'i2', departed: false })
  })

  it('that is damaged is not taken for an empty one', () => {
    identity('c1')
    writeFileSync(join(data, 'identity.json'), '{"clusterId":""}\n00000000\n')
    expect(engine().discover().kind).toBe('unreadable')
    identity('')
    disk.writeFounding('m1')
    writeFileSync(join(data, 'agent', 'founding.json'), 'x')
    expect(engine().discover().kind).toBe('unreadable')
  })

  it('moves everything aside, the notes of the old data too, and counts on', () => {
    identity('c1')
    writeFileSync(join(log, 'segment'), 'x')
    disk.markDeparted('i1', 'now')
    disk.writeFounding('m1')
    expect([disk.countStart(), disk.countStart()]).toEqual([1, 2])
    disk.moveAside('t1')
    expect(engine().discover()).toEqual({ kind: 'empty', founding: null })
    expect(existsSync(join(data, 'stale-t1', 'identity.json'))).toBe(true)
    expect(existsSync(join(log, 'stale-t1', 'segment'))).toBe(true)
    expect(readdirSync(log)).toEqual(['stale-t1'])
    expect(disk.countStart()).toBe(3)
  })

  it('keeps what was moved aside last where the volume has room for as much again', async () => {
    disk.writeCluster('c1')
    disk.markSpent('now')
    mkdirSync(join(data, 'db', 'journal'), { recursive: true })
    writeFileSync(join(data, 'db', 'journal', 'a'), Buffer.alloc(1_000))
    writeFileSync(join(data, 'b'), Buffer.alloc(500))
    expect([disk.isSpent, disk.hasAside]).toEqual([true, false])
    disk.moveAside('t1')
    expect([disk.isSpent, disk.hasAside, disk.hasData, disk.cluster]).toEqual([
      false,
      true,
      false,
      null,
    ])
    // Notes of the agent are with it.
    const size = 1_500 + readdirSync(join(data, 'stale-t1')).filter(isNote).reduce(sized, 0)
    await disk.removeAside('t1', async () => size)
    expect(existsSync(join(data, 'stale-t1', 'db', 'journal', 'a'))).toBe(true)
    await disk.removeAside('t1', async () => size - 1)
    expect(readdirSync(data)).toEqual(['agent'])
  })

  it('keeps nothing that was moved aside before, nor anything when it is not needed', async () => {
    for (const [name, stamp] of [
      ['a', 't1'],
      ['b', 't2'],
    ] as const) {
      writeFileSync(join(log, name), 'x')
      disk.moveAside(stamp)
    }
    await disk.removeAside('t2')
    expect([readdirSync(log), readdirSync(data).sort()]).toEqual([
      ['stale-t2'],
      ['agent', 'stale-t2'],
    ])
    await disk.removeAside()
    expect([disk.hasAside, readdirSync(log)]).toEqual([false, []])
    rmSync(data, { recursive: true })
    expect(disk.hasAside).toBe(false)
  })

  it('goes on with a move that a crash cut short before anything is said of it', () => {
    identity('c1')
    writeFileSync(join(log, 'segment'), 'x')
    mkdirSync(join(data, 'agent'))
    writeFileSync(join(data, 'agent', 'moving.json'), '{"stamp":"t1"}\n')
    expect(disk.isMoving).toBe(true)
    expect(engine().discover()).toEqual({ kind: 'empty', founding: null })
    expect(disk.isMoving).toBe(false)
    expect(existsSync(join(log, 'segment'))).toBe(false)
  })

  it('gives lines that name a forming of one start', () => {
    const two = observation({ statefulSet: set({ replicas: 2 }) })
    expect(engine().permitLine('bootstrap', two)).toBe('--name q-0 --expected-voters 2 --bootstrap')
    expect(engine().permitLine('join', two)).toBe(
      '--name q-0 --expected-voters 2 --join q-0.q:2888,q-1.q:2888',
    )
    const unknown = observation({ statefulSet: { kind: 'never' } })
    expect(engine().permitLine('resume', unknown)).toMatch(
      /--join q-0.q:2888,q-1.q:2888,q-2.q:2888$/,
    )
  })
})

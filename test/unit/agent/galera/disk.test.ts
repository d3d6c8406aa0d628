import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GaleraDisk } from '../../../../agent/engines/galera/galera-disk.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'

const UUID = '01234567-89ab-cdef-0123-456789abcdef'
const NOBODY = '00000000-0000-0000-0000-000000000000'

let volume: string
let disk: MemberDisk
let galera: GaleraDisk

beforeEach(() => {
  volume = mkdtempSync(join(tmpdir(), 'quorate-galera-disk-'))
  disk = new MemberDisk([volume])
  const positionFile = join(volume, 'position')
  galera = new GaleraDisk({ disk, dataDirectory: join(volume, 'data'), positionFile })
})
afterEach(() => rmSync(volume, { recursive: true }))

function grastate(uuid: string, seqno: string, safe = 0): void {
  mkdirSync(join(volume, 'data'), { recursive: true })
  const text = `# GALERA saved state\nversion: 2.1\nuuid:    ${uuid}\nseqno:   ${seqno}\nsafe_to_bootstrap: ${safe}\n`
  writeFileSync(join(volume, 'data', 'grastate.dat'), text)
}

const textOf = (...path: string[]) => readFileSync(join(volume, ...path), 'utf8')

describe('what a disk holds', () => {
  it('is nothing without the file of Galera, however safe that is said to be', () => {
    expect(galera.discover()).toEqual({ kind: 'empty', founding: null })
    mkdirSync(join(volume, 'data', 'mysql'), { recursive: true })
    expect(galera.discover()).toEqual({ kind: 'empty', founding: null })
    grastate(NOBODY, '-1', 1)
    expect(galera.discover()).toEqual({ kind: 'empty', founding: null })
  })

  it('is data of a cluster, also of a server that runs or was killed', () => {
    grastate(UUID, '-1')
    expect(galera.discover()).toMatchObject({ kind: 'member', clusterId: UUID, departed: false })
    disk.markDeparted('', 'now')
    expect(galera.discover()).toMatchObject({ departed: true })
  })

  it('is nothing while a founder has not served, and data from then on', () => {
    galera.prepareFounding()
    grastate(UUID, '-1')
    expect(galera.discover()).toEqual({ kind: 'empty', founding: null })
    galera.finish()
    expect(galera.discover()).toMatchObject({ kind: 'member', clusterId: UUID })
  })

  it('is not read from what Galera did not write', () => {
    grastate('what', '-1')
    expect(galera.discover()).toMatchObject({ kind: 'unreadable' })
  })
})

describe('where the data ends', () => {
  it('is what a server that stopped in order has left', () => {
    grastate(UUID, '42')
    expect(galera.position()).toEqual({ uuid: UUID, seqno: 42n })
  })

  it('is what the container found of one that was killed, of the same cluster', () => {
    grastate(UUID, '-1')
    expect(galera.position()).toBeNull()
    writeFileSync(join(volume, 'position'), `${UUID}:9007199254740993\n`)
    expect(galera.position()).toEqual({ uuid: UUID, seqno: 9_007_199_254_740_993n })
    for (const text of ['', `${NOBODY}:-1\n`, `${UUID.replace('0', 'f')}:7\n`, `${UUID}:-1\n`]) {
      writeFileSync(join(volume, 'position'), text)
      expect(galera.position()).toBeNull()
    }
  })
})

describe('before a start', () => {
  it('a founder begins with nothing: its own last try is removed, data of others is kept', () => {
    grastate(NOBODY, '-1')
    writeFileSync(join(volume, 'data', 'somebody'), 's')
    galera.prepareFounding()
    expect(existsSync(join(volume, 'data'))).toBe(false)
    const [stale = ''] = readdirSync(volume).filter((name) => name.startsWith('stale-'))
    expect(textOf(stale, 'data', 'somebody')).toBe('s')
    grastate(UUID, '-1')
    galera.prepareFounding()
    expect(existsSync(join(volume, 'data'))).toBe(false)
    expect(readdirSync(volume).filter((name) => name.startsWith('stale-'))).toEqual([stale])
  })

  it('the most advanced is told that it may begin, when its end is known', () => {
    grastate(UUID, '-1')
    expect(() => galera.prepareBootstrap()).toThrow(/not known/)
    expect(textOf('data', 'grastate.dat')).toContain('safe_to_bootstrap: 0')
    writeFileSync(join(volume, 'position'), `${UUID}:7\n`)
    galera.prepareBootstrap()
    expect(textOf('data', 'grastate.dat')).toMatch(
      new RegExp(`uuid: +${UUID}\nseqno: +-1\nsafe_to_bootstrap: 1\n`),
    )
  })

  it('whoever joins has nothing of a cluster that it set out to begin', () => {
    grastate(UUID, '3')
    galera.prepareJoin()
    expect(existsSync(join(volume, 'data'))).toBe(true)
    disk.writeFounding('begun')
    galera.prepareJoin()
    expect(existsSync(join(volume, 'data'))).toBe(false)
    expect(disk.founding).toBeNull()
  })
})

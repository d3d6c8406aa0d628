import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GaleraView } from '../../../../agent/core/cluster/galera-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { CertificateFiles } from '../../../../agent/engines/certificate-files.ts'
import { UNFENCED } from '../../../../agent/engines/engine.ts'
import { GaleraEngine } from '../../../../agent/engines/galera/galera-engine.ts'
import { MariadbSession } from '../../../../agent/engines/galera/mariadb-session.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { limits } from '../../../../agent/limits.ts'
import { facts, initialized, ready } from '../cluster-observations.ts'
import { holding, observation } from '../observations.ts'
import { MariadbDouble } from './mariadb-double.ts'

const UUID = '01234567-89ab-cdef-0123-456789abcdef'
const PASSWORD = 'a "quoted" ’word’'
const SYNCED = {
  wsrep_cluster_status: 'Primary',
  wsrep_ready: 'ON',
  wsrep_local_state: '4',
  wsrep_local_state_comment: 'Synced',
  wsrep_cluster_state_uuid: UUID,
  wsrep_last_committed: '1042',
}

let place: string
let server: MariadbDouble
let nowMs = 0
let clock = () => nowMs
let files: string[]
let peer: Server
let peerPort: number

beforeEach(async () => {
  place = mkdtempSync(join(tmpdir(), 'quorate-galera-engine-'))
  nowMs = 1_000
  clock = () => nowMs
  files = []
  server = new MariadbDouble(PASSWORD)
  await server.listen(join(place, 'socket'))
  server.answers = answersOf(SYNCED)
  peer = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
  const address = peer.address()
  peerPort = typeof address === 'object' && address !== null ? address.port : 0
})
afterEach(() => {
  server.close()
  peer.close()
  rmSync(place, { recursive: true })
})

function answersOf(status: Readonly<Record<string, string>>, rejects = 'NONE') {
  return (text: string) => {
    if (text.includes('STATUS')) return Object.entries(status)
    if (text.includes('VARIABLES')) return [['wsrep_reject_queries', rejects]]
    if (text.includes('MEMBERSHIP'))
      return [
        ['0', 'x', 'q-0', 'AUTO'],
        ['1', 'y', 'q-1', null],
      ]
    return []
  }
}

function engine(changes: { readonly donorServes?: boolean; readonly password?: string } = {}) {
  const { donorServes = true, password = PASSWORD } = changes
  return new GaleraEngine({
    disk: new MemberDisk([place]),
    dataDirectory: join(place, 'data'),
    positionFile: join(place, 'position'),
    session: new MariadbSession({
      socket: join(place, 'socket'),
      user: 'quorate-agent',
      password: () => password,
      timeoutMs: 200,
      packetBytesMax: 100_000,
    }),
    certificates: new CertificateFiles(files),
    clientPorts: { port: 3306, sslPort: null },
    ports: {},
    placeOf: (ordinal) => (ordinal === 1 ? `127.0.0.1:${peerPort}` : `127.0.0.1:${ordinal + 1}`),
    set: 'q',
    donorServes,
    leaveMs: 3_000,
    standDownMs: 10_000,
    dutyRetryMs: 30_000,
    nowMs: () => clock(),
  })
}

function seen(more: Partial<Observation>): Observation<GaleraView> {
  return observation(more) as Observation<GaleraView>
}

function holds(seqno: string): void {
  mkdirSync(join(place, 'data'), { recursive: true })
  const text = `uuid: ${UUID}\nseqno: ${seqno}\nsafe_to_bootstrap: 0\n`
  writeFileSync(join(place, 'data', 'grastate.dat'), text)
}

describe('what it sees', () => {
  it('is a member in service, with the others and a position that is surely on its disk', async () => {
    const view = await engine().observe()
    expect(view).toMatchObject({
      answers: true,
      ready: true,
      clusterId: UUID,
      role: 'synced',
      position: String(1_042 - limits.galeraPositionSlack),
      members: [{ name: 'q-0' }, { name: 'q-1' }],
      nonPrimarySinceMs: null,
    })
  })

  it.each<[string, Record<string, string>, string, Partial<GaleraView>]>([
    [
      'no majority',
      { wsrep_cluster_status: 'non-Primary', wsrep_ready: 'OFF' },
      'NONE',
      { ready: false, role: 'non-primary', nonPrimarySinceMs: 1_000, clusterId: UUID },
    ],
    ['a copy for another', { wsrep_local_state: '2' }, 'NONE', { ready: true, role: 'donor' }],
    ['what it missed', { wsrep_local_state: '1', wsrep_ready: 'OFF' }, 'NONE', { ready: false }],
    ['queries that it refuses', {}, 'ALL', { ready: false, rejects: true }],
    [
      'no cluster',
      { wsrep_cluster_state_uuid: '00000000-0000-0000-0000-000000000000' },
      'NONE',
      { clusterId: '' },
    ],
  ])('is %s', async (_, status, rejects, expected) => {
    server.answers = answersOf({ ...SYNCED, ...status }, rejects)
    expect(await engine().observe()).toMatchObject(expected)
  })

  it('is no service of a donor whose copy stops it', async () => {
    server.answers = answersOf({ ...SYNCED, wsrep_local_state: '2' })
    expect(await engine({ donorServes: false }).observe()).toMatchObject({ ready: false })
  })

  it('is a server that refuses the agent, and is not dead for that', async () => {
    const one = engine({ password: 'another' })
    const view = await one.observe()
    expect(view).toMatchObject({ answers: true, ready: false })
    expect(view.reason).toMatch(/the agent’s user is refused/)
    expect(one.liveness(view)).toBe(true)
  })

  it('is the same by a login with another salt', async () => {
    server.switches = true
    expect((await engine().observe()).ready).toBe(true)
  })

  it('is dead when it takes connections and answers none for a minute, and not before', async () => {
    server.mute = true
    const one = engine()
    expect(one.liveness(await one.observe())).toBe(true)
    nowMs += limits.galeraSilentMs - 1
    expect(one.liveness(await one.observe())).toBe(true)
    nowMs += 1
    expect(one.liveness(await one.observe())).toBe(false)
    server.mute = false
    expect(one.liveness(await one.observe())).toBe(true)
  })

  it('is never dead while nobody takes connections: a copy takes as long as it takes', async () => {
    server.close()
    rmSync(join(place, 'socket'), { force: true })
    const one = engine()
    for (let hour = 0; hour < 24; hour += 1) {
      nowMs += 3_600_000
      const view = await one.observe()
      expect(view.answers).toBe(false)
      expect(one.liveness(view)).toBe(true)
    }
  })

  it('is seen again after its connection was cut', async () => {
    const one = engine()
    await one.observe()
    server.cut()
    await one.observe()
    expect((await one.observe()).ready).toBe(true)
  })
})

describe('how it starts', () => {
  const others = facts({
    initialized,
    members: { 'q-1': ready, 'q-2': { ...ready, ready: false } },
  })

  it('is the first of its cluster with all places of the set', async () => {
    const one = engine()
    const first = seen({ disk: one.discover() })
    await one.prepare('bootstrap', first)
    expect(one.permitLine('bootstrap', first)).toBe(
      `found --wsrep-new-cluster --wsrep-cluster-address=gcomm://127.0.0.1:1,127.0.0.1:${peerPort},127.0.0.1:3`,
    )
  })

  it('begins the cluster again from where its data ends', async () => {
    holds('-1')
    const one = engine()
    const again = seen({ disk: holding(UUID) })
    await expect(one.prepare('bootstrap', again)).rejects.toThrow(/not known/)
    await expect(one.position()).rejects.toThrow(/could not tell/)
    writeFileSync(join(place, 'position'), `${UUID}:77\n`)
    expect(await one.position()).toBe('77')
    await one.prepare('bootstrap', again)
    const line = one.permitLine('bootstrap', again)
    expect(line).toMatch(/^start --wsrep-new-cluster /)
    expect(line).toContain(`--wsrep-start-position=${UUID}:77`)
  })

  it('joins those that serve, and says where its own data ends', async () => {
    holds('42')
    const one = engine()
    const joining = seen({ disk: holding(UUID), cluster: others })
    await one.prepare('join', joining)
    expect(one.permitLine('join', joining)).toBe(
      `start --wsrep-cluster-address=gcomm://127.0.0.1:${peerPort} --wsrep-start-position=${UUID}:42`,
    )
  })

  it('joins nobody that is not there, whatever the tree has of it', async () => {
    peer.close()
    const joining = seen({ cluster: others })
    await expect(engine().prepare('join', joining)).rejects.toThrow(/nobody listens at/)
    await expect(engine().prepare('join', seen({ cluster: null }))).rejects.toThrow(
      /nobody listens/,
    )
  })
})

describe('what it does', () => {
  const call = { observation: seen({}), fence: UNFENCED }

  it.each([
    ['reject', ["SET GLOBAL wsrep_reject_queries = 'ALL'"]],
    ['accept', ["SET GLOBAL wsrep_reject_queries = 'NONE'"]],
    ['standDown', ['command 8']],
  ])('%s', async (name, statements) => {
    await engine().perform(name)
    expect(server.asked).toEqual(statements)
  })

  it('tells the server of a renewed certificate once, and tries again after a while', async () => {
    const file = join(place, 'tls.crt')
    files = [file]
    writeFileSync(file, 'one')
    const one = engine()
    expect((await one.observe()).certificatesRenewed).toBe(true)
    server.answers = () => ({ code: 1, text: 'no' })
    await expect(one.perform('certificates')).rejects.toThrow('no')
    server.answers = answersOf(SYNCED)
    expect((await one.observe()).certificatesRenewed).toBe(false)
    nowMs += 30_000
    expect((await one.observe()).certificatesRenewed).toBe(true)
    await one.perform('certificates')
    nowMs += 30_000
    expect((await one.observe()).certificatesRenewed).toBe(false)
    writeFileSync(file, 'two')
    expect((await one.observe()).certificatesRenewed).toBe(true)
  })

  it('leaves when it stops: nobody can be taken out who runs', async () => {
    await engine().leave('q-2', call)
    await expect(engine().leave('q-1', call)).rejects.toThrow(/still runs/)
  })

  it('ends a founding when it has served', async () => {
    const one = engine()
    await one.prepare('bootstrap', seen({ disk: one.discover() }))
    holds('-1')
    expect(one.discover().kind).toBe('empty')
    await one.observe()
    expect(one.discover()).toMatchObject({ kind: 'member', clusterId: UUID })
    expect(existsSync(join(place, 'agent', 'founding.json'))).toBe(false)
  })

  it('knows the version by the greeting', async () => {
    const one = engine()
    await one.observe()
    expect(await one.version()).toBe('10.11.19-MariaDB')
  })
})

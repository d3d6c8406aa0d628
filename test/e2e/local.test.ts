import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reservePorts } from '../support/ports.ts'

/** The acceptance walk of `npm start`: real processes, real ports, real kills. */

const SERVERS = 3
const READY_WITHIN_MS = 10_000
const WRITES_AGAIN_WITHIN_MS = 3_000

interface Local {
  readonly process: ChildProcess
  readonly output: () => string
}

let directory = ''
let ports = { client: 0, http: 0, peer: 0 }
let local: Local

/** The first of so many consecutive ports that stay this process's. */
async function portsInARow(count: number): Promise<number> {
  const ports = await reservePorts(4 * count)
  const first = ports.find((port, at) => ports[at + count - 1] === port + count - 1)
  if (first === undefined) throw new Error(`no ${count} ports in a row`)
  return first
}

function start(): Local {
  let text = ''
  const child = spawn(
    process.execPath,
    [
      'dist/quorate.js',
      'local',
      '--data',
      directory,
      '--client-port',
      String(ports.client),
      '--http-port',
      String(ports.http),
      '--peer-port',
      String(ports.peer),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      text += chunk
    })
  }
  return { process: child, output: () => text }
}

async function waitFor<T>(
  what: string,
  withinMs: number,
  probe: () => Promise<T | null | false | undefined>,
): Promise<T> {
  const deadline = Date.now() + withinMs
  let failure = ''
  for (;;) {
    try {
      const value = await probe()
      if (value) return value
    } catch (error) {
      failure = String(error)
    }
    if (Date.now() > deadline)
      throw new Error(`${what}: not in ${withinMs} ms; ${failure}\n${local.output()}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

const url = (server: number, path: string) => `http://127.0.0.1:${ports.http + server}${path}`

const post = (server: number, k: string, v: string) =>
  fetch(url(server, '/v1/data'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ k, v }),
    signal: AbortSignal.timeout(2_000),
  })

const get = (server: number, k: string) =>
  fetch(url(server, `/v1/data/${k}`), { signal: AbortSignal.timeout(2_000) })

async function allReady(): Promise<boolean> {
  const answers = await Promise.all(
    Array.from({ length: SERVERS }, (_, i) => fetch(url(i, '/readyz'))),
  )
  return answers.every((answer) => answer.status === 200)
}

async function leaderIndex(): Promise<number> {
  const view = await waitFor('a leader', READY_WITHIN_MS, async () => {
    const answer = await fetch(url(0, '/v1/ensemble'))
    const body = (await answer.json()) as { leader: string | null }
    return body.leader === null ? null : body
  })
  return Number(view.leader) - 1
}

/** The process id of server `index`, among the children of `quorate local`. */
function pidOf(index: number): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8')
      if (!status.includes(`PPid:\t${local.process.pid}\n`)) continue
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8')
      if (command.includes(`${directory}/${index + 1}/`)) return Number(entry)
    } catch {
      // The process ended while it was being looked at.
    }
  }
  throw new Error(`no process of server ${index + 1}\n${local.output()}`)
}

async function stop(signal: NodeJS.Signals): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => local.process.once('exit', resolve))
  local.process.kill(signal)
  return ended
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-local-'))
  const first = await portsInARow(3 * SERVERS)
  ports = { client: first, http: first + SERVERS, peer: first + 2 * SERVERS }
  local = start()
})

afterAll(async () => {
  if (local.process.exitCode === null) await stop('SIGINT')
  rmSync(directory, { recursive: true, force: true })
})

describe('npm start', () => {
  it('serves within ten seconds and prints three lines to try', async () => {
    await waitFor('all servers ready', READY_WITHIN_MS, allReady)
    await waitFor('the banner', 2_000, async () => local.output().includes('curl'))
    expect(local.output()).toContain(`http://127.0.0.1:${ports.http}`)
  })

  it('answers the key-value lines on every port', async () => {
    const posted = await post(0, 'a', '1')
    expect([posted.status, await posted.json()]).toEqual([200, { k: 'a', v: '1' }])
    for (const server of [0, 1, 2]) {
      expect(await (await get(server, 'a')).json()).toEqual({ k: 'a', v: '1' })
    }
    const deleted = await fetch(url(1, '/v1/data/a'), { method: 'DELETE' })
    expect(deleted.ok).toBe(true)
    const missing = await get(2, 'a')
    expect(missing.status).toBe(404)
    expect(await missing.json()).toMatchObject({ code: 'KEY_NOT_FOUND' })
  })

  it('names the field of a bad body, and refuses a large one', async () => {
    const bad = await fetch(url(0, '/v1/data'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"k":"a"}',
    })
    expect([bad.status, await bad.json()]).toMatchObject([400, { field: 'v' }])
    const large = await post(0, 'large', 'x'.repeat(4_000_000))
    expect(large.status).toBe(413)
  })

  it('survives kill -9 of the leader: writes within three seconds, and it catches up', async () => {
    const leader = await leaderIndex()
    const other = (leader + 1) % SERVERS
    const killed = pidOf(leader)
    process.kill(killed, 'SIGKILL')
    const began = Date.now()
    await waitFor('a write after the kill', WRITES_AGAIN_WITHIN_MS, async () => {
      const answer = await post(other, 'after', 'kill')
      return answer.ok
    })
    expect(Date.now() - began).toBeLessThan(WRITES_AGAIN_WITHIN_MS)
    await waitFor('the killed server is back', READY_WITHIN_MS, allReady)
    expect(pidOf(leader)).not.toBe(killed)
    const value = await fetch(url(leader, '/v1/data/after?consistency=local'))
    expect(await value.json()).toEqual({ k: 'after', v: 'kill' })
  })

  it('keeps the data over Ctrl-C and a new start', async () => {
    await post(1, 'kept', 'yes')
    expect(await stop('SIGINT')).toBe(0)
    local = start()
    await waitFor('all servers ready again', READY_WITHIN_MS, allReady)
    expect(await (await get(2, 'kept')).json()).toEqual({ k: 'kept', v: 'yes' })
  })

  it('removes its leader when it is told to, and says so', async () => {
    const leader = await leaderIndex()
    const answer = await fetch(url(leader, `/v1/ensemble/members/${leader + 1}`), {
      method: 'DELETE',
    })
    expect([answer.status, await answer.text()]).toEqual([204, ''])
    // It runs, so it asks to be taken in again.
    await waitFor('another leader', READY_WITHIN_MS, async () => (await leaderIndex()) !== leader)
    await waitFor('all servers ready', READY_WITHIN_MS, allReady)
  })

  it('serves the status page and the metrics', async () => {
    const page = await fetch(url(0, '/'))
    expect(await page.text()).toContain('<title>Quorate</title>')
    await waitFor('all are shown', READY_WITHIN_MS, async () => {
      const { servers } = (await (await fetch(url(0, '/v1/ensemble/servers'))).json()) as {
        servers: { reachable: boolean; role: string }[]
      }
      const reachable = servers.filter((server) => server.reachable)
      const leaders = servers.filter((server) => server.role === 'leader')
      return servers.length === 3 && reachable.length === 3 && leaders.length === 1
    })
    const metrics = await (await fetch(url(0, '/metrics'))).text()
    for (const name of ['znode_count', 'outstanding_requests', 'quorate_raft_term']) {
      expect(metrics).toMatch(new RegExp(`^${name} \\d`, 'm'))
    }
    for (const name of ['fsynctime_count', 'election_time_count']) {
      expect(metrics, name).toMatch(new RegExp(`^${name} [1-9]`, 'm'))
    }
  })
})

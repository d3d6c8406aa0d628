import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reservePorts } from '../support/ports.ts'
import { fourLetterWord, modeOf, ServerProcess, serves } from '../support/processes.ts'
import { waitFor } from '../support/wait-for.ts'

/** Directories that are not what they were: what a server says of them, and what it does. */

const bundle = fileURLToPath(new URL('../../dist/quorate.js', import.meta.url))

let directory = ''
const started: ServerProcess[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-directories-'))
})

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop()
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
})

function start(name: string, lines: readonly string[]): ServerProcess {
  const configuration = join(directory, `${name}.cfg`)
  writeFileSync(configuration, `${lines.join('\n')}\n`)
  const log = join(directory, `${name}.log`)
  const server = new ServerProcess(name, process.execPath, [bundle, 'serve', configuration], log)
  started.push(server)
  server.start()
  return server
}

/** Starts a server that has to end by itself; its exit code and its last words. */
async function refused(name: string, lines: readonly string[]) {
  const server = start(name, lines)
  await waitFor(`the end of ${name}`, () => !server.isRunning)
  return { code: await server.signal('SIGTERM'), output: server.logTail() }
}

describe('the directory of a server alone', () => {
  let lines: string[] = []
  let data = ''
  let identity = ''

  beforeEach(async () => {
    const [client = 0, peer = 0] = await reservePorts(2)
    data = join(directory, 'data')
    identity = join(data, 'identity.json')
    lines = [
      'quorate.name=first',
      `dataDir=${data}`,
      `clientPort=${client}`,
      `quorate.peerPort=${peer}`,
      'admin.enableServer=false',
    ]
    const server = start('server', lines)
    await server.ready(() => serves(client), 30_000)
    await server.stop()
  })

  it('is refused to a server of another name, with the file and what to do', async () => {
    const { code, output } = await refused('renamed', ['quorate.name=second', ...lines.slice(1)])
    expect(code).toBe(65)
    expect(output).toContain(`DATA_FOREIGN_NAME: ${identity}`)
    expect(output).toMatch(/belongs to server first, not second: give each its own, or empty it/)
  })

  it('of a later version is refused, with the file and what to do, and left as it is', async () => {
    const [line = ''] = readFileSync(identity, 'utf8').split('\n')
    const later = `${line.replace('"format":1', '"format":2')}\n`
    const text = `${later}${crc32(later).toString(16).padStart(8, '0')}\n`
    writeFileSync(identity, text)
    const { code, output } = await refused('later', lines)
    expect(code).toBe(65)
    expect(output).toContain(`DATA_FUTURE_VERSION: ${identity}`)
    expect(output).toMatch(/identity format 2: run the version that wrote it, or a later one/)
    expect(readFileSync(identity, 'utf8')).toBe(text)
  })
})

describe('the directory of a server of three', () => {
  it('of another cluster serves nobody and says so; wiped, the server joins again as a learner', {
    timeout: 120_000,
  }, async () => {
    const ports = await reservePorts(9)
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, http = 0] = ports
    const client = [a, b, c]
    const list = [d, e, f].map((port, i) => `server.${i + 1}=127.0.0.1:${port}:1`)
    const linesOf = (number: number) => [
      'tickTime=1000',
      `dataDir=${join(directory, String(number))}`,
      `clientPort=${client[number - 1]}`,
      '4lw.commands.whitelist=*',
      ...(number === 3 ? [`admin.serverPort=${http}`] : ['admin.enableServer=false']),
      ...list,
    ]
    for (const number of [1, 2, 3]) {
      mkdirSync(join(directory, String(number)))
      writeFileSync(join(directory, String(number), 'myid'), String(number))
    }
    const servers = [1, 2, 3].map((number) => start(String(number), linesOf(number)))
    for (const [i, server] of servers.entries()) {
      await server.ready(() => serves(client[i] ?? 0), 60_000)
    }
    await servers[2]?.stop()

    // A server of the same name that founded a cluster of its own.
    const other = join(directory, 'other')
    const alone = ['quorate.name=3', `dataDir=${other}`, `clientPort=${g}`, `quorate.peerPort=${h}`]
    const stranger = start('other', [...alone, 'admin.enableServer=false'])
    await stranger.ready(() => serves(g), 30_000)
    await stranger.stop()
    const own = join(directory, '3')
    rmSync(own, { recursive: true })
    cpSync(other, own, { recursive: true })
    writeFileSync(join(own, 'myid'), '3')
    const misplaced = start('misplaced', linesOf(3))
    const reason = await waitFor('what it says', async () => {
      const body = await fetch(`http://127.0.0.1:${http}/readyz`).then((answer) => answer.text())
      return body.includes('DATA_FOREIGN_CLUSTER') ? body : null
    })
    expect(reason).toMatch(
      /the data directory of server 3 is of cluster \w+ \(its identity\.json\)/,
    )
    await waitFor('its log', () => misplaced.logTail().includes('DATA_FOREIGN_CLUSTER'))
    expect(await serves(c)).toBe(false)
    expect([await serves(a), await serves(b)]).toEqual([true, true])
    await misplaced.stop()

    rmSync(own, { recursive: true })
    mkdirSync(own)
    writeFileSync(join(own, 'myid'), '3')
    const wiped = start('wiped', linesOf(3))
    await wiped.ready(() => serves(c), 60_000)
    expect(modeOf(await fourLetterWord(c, 'srvr'))).toBe('follower')
    expect(wiped.logTail()).toContain('joining a cluster')
    const lastZxid = (text: string) => /Zxid: (\S+)/.exec(text)?.[1]
    await waitFor('the data', async () => {
      const newest = lastZxid(await fourLetterWord(a, 'srvr'))
      return newest !== undefined && lastZxid(await fourLetterWord(c, 'srvr')) === newest
    })
  })
})

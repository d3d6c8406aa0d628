import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as listenTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait-for.ts'

const started: ChildProcess[] = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

/**
 * The image's command, with bundles that say what they were called with. It stands in the image for
 * the only thing between a permit and an engine's start.
 */
function image({ handlesSignals = true } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-image-'))
  const calls = join(directory, 'calls')
  const bundle = `const { writeFileSync } = process.getBuiltinModule('node:fs')
writeFileSync(${JSON.stringify(calls)}, JSON.stringify(process.argv.slice(1)))
setInterval(() => {}, 1000)
${handlesSignals ? "process.on('SIGTERM', () => process.exit(7))" : ''}
`
  for (const name of ['quorate.js', 'quorate-agent.cjs']) {
    writeFileSync(join(directory, name), bundle)
  }
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  const bin = mkdtempSync(join(tmpdir(), 'quorate-bin-'))
  const script = readFileSync('image/quorate', 'utf8')
  writeFileSync(join(bin, 'quorate'), script.replace('/opt/quorate/dist', directory))
  const fifo = join(directory, 'permit')
  execFileSync('mkfifo', [fifo])
  return {
    fifo,
    directory,
    start: (...args: string[]) => {
      const child = spawn(process.execPath, [join(bin, 'quorate'), ...args])
      started.push(child)
      return child
    },
    /** The bundle and its arguments once it runs; null before. */
    call: () =>
      existsSync(calls) && readFileSync(calls, 'utf8') !== ''
        ? (JSON.parse(readFileSync(calls, 'utf8')) as string[])
        : null,
  }
}

describe('the command of the image', () => {
  it('runs the server with the words of one permit', async () => {
    const { fifo, directory, start, call } = image()
    const server = start('permitted', fifo, 'serve', '/etc/server.yaml')
    const pipe = await open(fifo, 'w')
    expect(call()).toBeNull()
    await pipe.write('--join a:2888,b:2888 --observer\n')
    await waitFor('the bundle runs', () => call() !== null)
    expect(call()).toEqual([
      join(directory, 'quorate.js'),
      'serve',
      '/etc/server.yaml',
      '--join',
      'a:2888,b:2888',
      '--observer',
    ])
    await pipe.close()
    server.kill('SIGTERM')
    expect(await once(server, 'exit')).toEqual([7, null])
  })

  it('waits for the whole line, and outlives an agent that goes away in the middle', async () => {
    const { fifo, start, call } = image()
    start('permitted', fifo, 'serve')
    const first = await open(fifo, 'w')
    await first.write('--boot')
    await first.close()
    const second = await open(fifo, 'w')
    expect(call()).toBeNull()
    await second.write('strap\n')
    await waitFor('the bundle runs', () => call() !== null)
    expect(call()?.slice(1)).toEqual(['serve', '--bootstrap'])
    await second.close()
  })

  it('stops at once while it waits', async () => {
    const { fifo, start, call } = image()
    const server = start('permitted', fifo, 'serve')
    const pipe = await open(fifo, 'w')
    server.kill('SIGTERM')
    expect(await once(server, 'exit')).toEqual([0, null])
    expect(call()).toBeNull()
    await pipe.close()
  })

  it('stops at once while the engine has no handler yet', async () => {
    const { fifo, start, call } = image({ handlesSignals: false })
    const server = start('permitted', fifo, 'serve')
    const pipe = await open(fifo, 'w')
    await pipe.write('--join a:1\n')
    await waitFor('the bundle runs', () => call() !== null)
    server.kill('SIGTERM')
    expect(await once(server, 'exit')).toEqual([0, null])
    await pipe.close()
  })

  it('asks at the pipe of that name when another has taken its place', async () => {
    const { fifo, start, call } = image()
    start('permitted', fifo, 'serve')
    const used = await open(fifo, 'w')
    execFileSync('mkfifo', [`${fifo}.next`])
    renameSync(`${fifo}.next`, fifo)
    const pipe = await open(fifo, 'w')
    expect(call()).toBeNull()
    await pipe.write('--join a:1\n')
    await waitFor('the bundle runs', () => call() !== null)
    await Promise.all([used.close(), pipe.close()])
  })

  it('leaves no permit behind for the next start', async () => {
    const { fifo, start, call } = image()
    const first = start('permitted', fifo, 'serve')
    const pipe = await open(fifo, 'w')
    await pipe.write('--bootstrap\n--stale\n')
    await waitFor('the bundle runs', () => call() !== null)
    await pipe.close()
    first.kill('SIGKILL')
    await once(first, 'exit')
    start('permitted', fifo, 'serve')
    const next = await open(fifo, 'w')
    await next.write('--join a:1\n')
    await waitFor('the bundle runs', () => call()?.includes('--join') === true)
    expect(call()?.slice(1)).toEqual(['serve', '--join', 'a:1'])
    await next.close()
  })

  it('runs the agent by its own bundle', async () => {
    const { directory, start, call } = image()
    start('agent', 'secrets', 'ensure')
    await waitFor('the bundle runs', () => call() !== null)
    expect(call()).toEqual([join(directory, 'quorate-agent.cjs'), 'secrets', 'ensure'])
  })
})

describe('the small tools of the image', () => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-tools-'))
  const run = promisify(execFile)

  /** As in the image, where no package.json makes a module of it. */
  function tool(name: string): string {
    const path = join(directory, name)
    writeFileSync(path, readFileSync(`image/${name}`, 'utf8'))
    return path
  }

  it('wget prints a page, saves it, and fails on a refusal', async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/page' ? 200 : 503
      response.end('text of it')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const wget = (...words: string[]) => run(process.execPath, [tool('wget'), ...words])
    const url = `http://127.0.0.1:${port}`
    expect((await wget('-qO-', `${url}/page`)).stdout).toBe('text of it')
    await wget('-q', '-O', join(directory, 'saved'), `${url}/page`)
    expect(readFileSync(join(directory, 'saved'), 'utf8')).toBe('text of it')
    await expect(wget('-qO-', `${url}/other`)).rejects.toMatchObject({ code: 1 })
    await expect(wget()).rejects.toMatchObject({ code: 2 })
    server.close()
  })

  it('nc carries a word and its answer, though its own input has ended', async () => {
    const server = listenTcp((socket) => {
      socket.once('data', (word) => setTimeout(() => socket.end(`${word}: imok`), 100))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const nc = run(process.execPath, [tool('nc'), '127.0.0.1', String(port)])
    nc.child.stdin?.end('ruok')
    expect((await nc).stdout).toBe('ruok: imok')
    server.close()
  })
})

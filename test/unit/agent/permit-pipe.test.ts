import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PermitPipe } from '../../../agent/permit-pipe.ts'
import { waitFor } from '../../support/wait-for.ts'

describe('the permit pipe', () => {
  let directory: string
  let path: string
  const readers: ChildProcess[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-permit-'))
    path = join(directory, 'run', 'permit')
  })

  afterEach(() => {
    for (const reader of readers.splice(0)) reader.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })

  /** A container's command: reads a line, holds the pipe open for a while, says what it got. */
  function read(command = `exec 3< ${path}; read -r line <&3 && echo "got $line"; exec sleep 60`) {
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'inherit'] })
    const reader = { child, text: '' }
    child.stdout.setEncoding('utf8')
    child.stdout.on('data', (text: string) => {
      reader.text += text
    })
    readers.push(child)
    return reader
  }

  it('sees a reader, and only then', async () => {
    const pipe = new PermitPipe(path)
    expect(pipe.look()).toBe(false)
    read()
    await waitFor('a reader', () => pipe.look())
    expect(pipe.asking).toBe(true)
    pipe.close()
  })

  it('gives one line for one reader, who is not taken for the next', async () => {
    const pipe = new PermitPipe(path)
    const first = read()
    await waitFor('a reader', () => pipe.look())
    expect(pipe.grant('--join a')).toBe(true)
    await waitFor('the line', () => first.text === 'got --join a\n')
    // It still has the pipe open.
    expect(pipe.look()).toBe(false)
    const second = read()
    await waitFor('the next reader', () => pipe.look())
    expect(pipe.grant('--join b')).toBe(true)
    await waitFor('the next line', () => second.text === 'got --join b\n')
    expect(first.text).toBe('got --join a\n')
    pipe.close()
  })

  it('does not keep a line for whoever comes when its reader has died', async () => {
    const pipe = new PermitPipe(path)
    const dead = read()
    await waitFor('a reader', () => pipe.look())
    dead.child.kill('SIGKILL')
    await waitFor('its end', () => dead.child.signalCode !== null)
    expect(pipe.grant('--bootstrap')).toBe(false)
    const next = read()
    await waitFor('the next reader', () => pipe.look())
    expect(pipe.grant('--join a')).toBe(true)
    await waitFor('its line', () => next.text === 'got --join a\n')
    pipe.close()
  })

  it('is found by an agent that starts while a reader waits', async () => {
    const before = new PermitPipe(path)
    before.close()
    const reader = read()
    const pipe = new PermitPipe(path)
    await waitFor('the reader', () => pipe.look())
    expect(pipe.grant('--join a')).toBe(true)
    await waitFor('the line', () => reader.text === 'got --join a\n')
    pipe.close()
  })

  it('refuses a file that is no pipe', () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    expect(() => new PermitPipe(file)).toThrow(/no.* pipe/)
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDirectory, unlockDirectory } from '../../../server/storage/process-lock.ts'

const script = new URL('../../../server/storage/process-lock.ts', import.meta.url).href

/** A process that takes the lock of a directory, says whether it got it, and lives on. */
async function locker(directory: string): Promise<{ said: string; kill: () => Promise<void> }> {
  const program = `
    const { lockDirectory } = await import(${JSON.stringify(script)})
    console.log(lockDirectory(${JSON.stringify(directory)}) ? 'locked' : 'refused')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = await once(child.stdout, 'data')
  return {
    said: String(said).trim(),
    kill: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

describe('the lock of a data directory', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lock-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('keeps a second process out, and does not outlive a killed owner', async () => {
    const owner = await locker(directory)
    expect(owner.said).toBe('locked')
    expect(lockDirectory(directory)).toBe(false)
    await owner.kill()
    expect(existsSync(join(directory, 'lock'))).toBe(true)
    expect(lockDirectory(directory)).toBe(true)
    const second = await locker(directory)
    expect(second.said).toBe('refused')
    await second.kill()
    unlockDirectory(directory)
    expect(existsSync(join(directory, 'lock'))).toBe(false)
  })

  it('sees through a living process that has the number of a dead owner', () => {
    // A container's first process is number 1 every time; only its beginning tells them apart.
    writeFileSync(join(directory, 'lock'), `${process.pid} 1 another-boot\n`)
    expect(lockDirectory(directory)).toBe(true)
    expect(lockDirectory(directory)).toBe(false)
  })
})

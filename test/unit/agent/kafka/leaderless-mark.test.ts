import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LeaderlessMark } from '../../../../agent/engines/kafka/leaderless-mark.ts'

const AFTER_MS = 20_000

describe('the mark of controllers without a leader', () => {
  let directory = ''
  let nowMs = 0
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-mark-'))
    nowMs = 1_000
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const path = () => join(directory, 'leaderless')
  const mark = () => new LeaderlessMark(path(), AFTER_MS, () => nowMs)

  it('is set when there has been none for long, and goes when there is one', () => {
    const made = mark()
    made.clear()
    made.look(false)
    nowMs += AFTER_MS - 1
    made.look(false)
    expect(existsSync(path())).toBe(false)
    nowMs += 1
    made.look(false)
    expect(existsSync(path())).toBe(true)
    made.look(true)
    expect(existsSync(path())).toBe(false)
    nowMs += AFTER_MS
    made.look(false)
    expect(existsSync(path())).toBe(false)
  })

  it('is cleared of what an agent before has left', () => {
    writeFileSync(path(), '')
    mark().clear()
    expect(existsSync(path())).toBe(false)
  })
})

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Script } from './script.ts'

const directory = import.meta.dirname
const rewrite = process.env['UPDATE_TRANSCRIPTS'] === '1'
const files = readdirSync(directory).filter((name) => name.endsWith('.txt'))

/** Keeps comments, blank lines and commands, and writes what happened below each command. */
function transcribe(text: string): string {
  const script = new Script()
  const lines: string[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) lines.push(line)
    if (line.startsWith('> ')) lines.push(line, ...script.run(line.slice(2).trim()))
  }
  return lines.join('\n')
}

describe('transcripts', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThanOrEqual(14)
  })

  for (const name of files) {
    it(name, () => {
      const path = join(directory, name)
      const text = readFileSync(path, 'utf8')
      const actual = transcribe(text)
      if (rewrite) writeFileSync(path, actual)
      else expect(actual).toBe(text)
    })
  }
})

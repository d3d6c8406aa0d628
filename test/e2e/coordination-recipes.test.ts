import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../conformance/clients/command.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { kazooTool, titleOf } from '../support/toolchain.ts'

const tool = kazooTool()
/** On a machine that does other things too. */
const RUN_WITHIN_MS = 100_000
const page = readFileSync(
  fileURLToPath(new URL('../../docs/coordination-recipes.md', import.meta.url)),
  'utf8',
)

/** The blocks of the page in one language. */
function blocks(language: string): string[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  )
}

/** Every command of the page, and what it prints. */
const commands = blocks('console').flatMap((block) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text): [string, string] => {
      const [command = '', ...output] = text.split('\n')
      return [command, output.join('\n')]
    }),
)

describe.skipIf(tool.found === null)(titleOf('the recipes of the page', tool), () => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-recipes-'))
  let servers: ServerEnsemble

  beforeAll(async () => {
    servers = await quorateEnsemble({ servers: 3 })
    await servers.start()
    for (const program of blocks('python')) {
      const [, name = ''] = /^# (\S+\.py)$/m.exec(program) ?? []
      const here = program.replace(/127\.0\.0\.1:218(\d)/g, (_, digit: string) => {
        return `127.0.0.1:${servers.clientPorts[Number(digit) - 1]}`
      })
      writeFileSync(join(directory, name), here)
    }
  })
  afterAll(async () => {
    await servers.stop()
    rmSync(directory, { recursive: true })
  })

  it('are some', () => {
    expect(commands.length).toBeGreaterThan(5)
  })

  it.each(commands)('%s', async (command, printed) => {
    const [program, ...args] = command.split(' ')
    expect(program).toBe('python')
    const { code, stdout, stderr } = await run(tool.found?.python ?? '', args, {
      cwd: directory,
      withinMs: RUN_WITHIN_MS,
    })
    expect({ code, stdout, stderr: code === 0 ? '' : stderr }).toEqual({
      code: 0,
      stdout: printed,
      stderr: '',
    })
  })
})

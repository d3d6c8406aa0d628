import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { ServerEnsemble } from '../../support/processes.ts'
import { kazooTool, titleOf } from '../../support/toolchain.ts'
import type { Target } from '../suite/target.ts'
import { run } from './command.ts'
import { kazooRecipes } from './kazoo-recipes.ts'

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const hostsOf = ({ clientPorts }: ServerEnsemble) =>
  clientPorts.map((port) => `127.0.0.1:${port}`).join(',')

const CASES = [
  ['create, NoNode on a missing parent, makepath, sequence', 'creates'],
  ['ensure_path, again and again', 'ensures'],
  ['set with and without a version', 'sets'],
  ['every field of a stat', 'stats'],
  ['delete, recursive and not', 'deletes'],
  ['DataWatch, a recipe over one-shot watches', 'watches'],
  ['an ephemeral goes with its client', 'ephemerals'],
  ['transactions, one that fails among them', 'transactions'],
  ['ACLs and add_auth', 'acls'],
  ['the election recipe', 'elections'],
] as const

const COUNTER_WITHIN_MS = 240_000
const INCREMENTS = 1_000
/** Each takes Apache ZooKeeper several syncs of its disk: there a few show as much. */
const INCREMENTS_OF_ZOOKEEPER = 100

/** kazoo, the Python client, unchanged: each case is a process of its own. */
export function kazooSuite(target: Target): void {
  const tool = kazooTool()
  describe.skipIf(tool.found === null)(titleOf('kazoo', tool), () => {
    const python = tool.found?.python ?? ''
    describe('recipes', () => kazooRecipes(target, python))

    it.each(CASES)('%s', async (_, name) => {
      const hosts = hostsOf(target.ensemble())
      const ended = await run(python, [script('basics.py'), hosts, `/kazoo-${name}`, name])
      expect(ended).toMatchObject({ code: 0, stderr: '' })
    })

    const increments = target.name === 'zookeeper' ? INCREMENTS_OF_ZOOKEEPER : INCREMENTS
    it(`a counter under Lock, two processes with ${increments} increments each`, {
      timeout: COUNTER_WITHIN_MS + 10_000,
    }, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'quorate-counter-'))
      try {
        const file = join(directory, 'counter')
        writeFileSync(file, '0')
        const hosts = hostsOf(target.ensemble())
        const args = [script('counter.py'), hosts, '/counter-lock', file, String(increments)]
        const both = [1, 2].map(() => run(python, args, { withinMs: COUNTER_WITHIN_MS }))
        for (const ended of await Promise.all(both)) {
          expect(ended).toMatchObject({ code: 0, stderr: '' })
        }
        expect(readFileSync(file, 'utf8')).toBe(String(2 * increments))
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    })
  })
}

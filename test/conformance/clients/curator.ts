import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compile, javaTool, SMALL_JVM } from '../../support/java.ts'
import { leaderOf } from '../../support/processes.ts'
import type { EnsembleOptions } from '../../support/server-ensemble.ts'
import { superDigestSettings } from '../servers.ts'
import type { Target } from '../suite/target.ts'
import { CaseProgram } from './case-program.ts'
import { logback } from './zk-cli.ts'

const CASES = [
  ['LeaderLatch: one leads, in the order in which they came', 'latch'],
  ['LeaderSelector: each leads in its turn, never two at once', 'selector'],
  ['CuratorCache: what is there, and every change once', 'cache'],
  ['PathChildrenCache', 'children'],
  ['PersistentNode: back after a delete and after an expired session', 'persistent'],
  ['PersistentTtlNode: kept while it is touched, gone afterwards', 'ttl'],
  ['creatingParentContainersIfNeeded: parents go with their last child', 'containers'],
  ['transactions: all or nothing, with a result for each', 'transactions'],
  ['DistributedBarrier and DistributedDoubleBarrier', 'barriers'],
  ['ServiceDiscovery with its cache and provider', 'discovery'],
] as const

const INCREMENTS = 50
const WITHIN_MS = 240_000

/** Of an ensemble for these cases: containers and TTLs are looked at every half second. */
export const curatorOptions: EnsembleOptions = {
  servers: 3,
  settings: {
    'znode.container.checkIntervalMs': '500',
    reconfigEnabled: 'true',
    ...superDigestSettings,
  },
}

/** Programs of one ensemble, from the first test to the last. */
function programs(target: Target, count: number): () => readonly CaseProgram[] {
  const started: CaseProgram[] = []
  beforeAll(() => {
    const tool = javaTool('java-clients')
    if (tool.found === null) throw new Error(tool.reason)
    const classPath = compile(tool.found, 'conformance/java/curator')
    const hosts = target.ensemble().clientPorts.map((port) => `127.0.0.1:${port}`)
    const options = [...SMALL_JVM, `-Dlogback.configurationFile=${logback}`]
    const args = [...options, '-cp', classPath, 'CuratorCases', hosts.join(',')]
    for (let i = 0; i < count; i++) started.push(new CaseProgram(tool.found.java, args))
  }, 60_000)
  afterAll(() => {
    for (const program of started) program.stop()
  })
  return () => started
}

/** Curator's recipes on an ensemble with `curatorOptions`. */
export function curatorSuite(target: Target): void {
  describe('Curator', () => {
    const running = programs(target, 2)
    const first = () => {
      const [program] = running()
      if (program === undefined) throw new Error('no program')
      return program
    }

    it.each(CASES)(
      '%s',
      async (_, name) => {
        await first().run(`${name} /curator-${name}`)
      },
      WITHIN_MS,
    )

    it(
      'InterProcessMutex: a counter of four clients in two processes loses nothing',
      async () => {
        const directory = mkdtempSync(join(tmpdir(), 'quorate-counter-'))
        try {
          const file = join(directory, 'counter')
          writeFileSync(file, '0')
          const line = `counter /curator-counter ${file} ${INCREMENTS}`
          await Promise.all(running().map((program) => program.run(line)))
          expect(readFileSync(file, 'utf8')).toBe(String(4 * INCREMENTS))
        } finally {
          rmSync(directory, { recursive: true, force: true })
        }
      },
      WITHIN_MS,
    )

    it(
      'EnsembleTracker: who is told of one server knows all',
      async () => {
        await first().run('ensemble /curator-ensemble')
      },
      WITHIN_MS,
    )

    it(
      'a lock, a latch, a cache and an ephemeral outlive their server and the leader',
      async () => {
        const ensemble = target.ensemble()
        let last = -1
        try {
          await first().run('kill /curator-kill', {
            killed: async (port) => {
              for (const server of [
                await leaderOf(ensemble),
                ensemble.clientPorts.indexOf(+port),
              ]) {
                if (last !== -1) await ensemble.restart(last)
                last = server
                await ensemble.kill(server)
              }
            },
          })
        } finally {
          if (last !== -1) await ensemble.restart(last)
        }
      },
      WITHIN_MS,
    )

    it(
      'EnsembleTracker: a server is taken out and put back, and clients know it each time',
      async () => {
        const ensemble = target.ensemble()
        const follower = ((await leaderOf(ensemble)) + 1) % ensemble.clientPorts.length
        await first().run(`changes /curator-changes ${follower + 1}`)
      },
      WITHIN_MS,
    )
  })
}

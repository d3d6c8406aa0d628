import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Audit } from '../../../server/audit/audit.ts'
import { buildApp } from '../../../server/http/app.ts'
import type { App } from '../../../server/http/app-instance.ts'
import type { AppOptions } from '../../../server/http/route-context.ts'
import { DIGEST_ALONE } from '../../../server/listener/authentication.ts'
import { ClientRegistry } from '../../../server/listener/client-registry.ts'
import { ServerStats } from '../../../server/listener/server-stats.ts'
import { durationsOf, figuresOf, type WordContext } from '../../../server/listener/word-context.ts'
import { buildMetrics } from '../../../server/metrics/metrics.ts'
import { ManualEnsemble } from '../listener/manual-ensemble.ts'
import { wordSource } from '../listener/word-source.ts'

/** The HTTP side over an ensemble in the test's hand, which commits at once unless told otherwise. */
export interface HttpHarness {
  readonly app: App
  readonly ensemble: ManualEnsemble
  readonly commands: WordContext
  /** What was logged, one JSON object a line. */
  readonly logged: string[]
  close(): Promise<void>
}

export async function httpHarness(options: Partial<AppOptions> = {}): Promise<HttpHarness> {
  const ensemble = new ManualEnsemble()
  ensemble.immediate = true
  const logged: string[] = []
  const pageDirectory = mkdtempSync(join(tmpdir(), 'quorate-page-'))
  for (const name of ['index.html', 'main.js', 'style.css']) {
    writeFileSync(join(pageDirectory, name), `the ${name}`)
  }
  const registry = new ClientRegistry(ensemble)
  ensemble.setHooks(registry)
  const stats = new ServerStats()
  const commands = { ...wordSource(), ensemble, registry, stats }
  const metrics = buildMetrics({
    ensemble,
    listener: () => figuresOf(commands),
    transport: () => ({ droppedFrames: 0, refusedLinks: 0, silentLinks: 0 }),
    durations: durationsOf(commands),
    startedAtMs: 0,
    nowMs: () => 0,
  })
  const app = await buildApp({
    ensemble,
    metrics,
    commands,
    logger: pino({ level: 'info' }, { write: (line: string) => void logged.push(line) }),
    authorisation: { mode: 'open' },
    authenticator: DIGEST_ALONE,
    audit: new Audit({
      everything: false,
      serverUser: 'me',
      write: () => {},
      tellsDenial: () => true,
    }),
    tls: null,
    apiTimeoutMs: 1_000,
    forwardTimeoutMs: 1_000,
    requestMsMax: 10_000,
    idleMs: 10_000,
    bodyBytesMax: 2_000,
    refusedBody: { bytesMax: 10_000, msMax: 1_000 },
    keyBytesMax: 100,
    eventLoopDelayMsMax: 0,
    connectionsMax: 100,
    pageDirectory,
    ...options,
  })
  return {
    app,
    ensemble,
    commands,
    logged,
    close: async () => {
      await app.close()
      rmSync(pageDirectory, { recursive: true, force: true })
    },
  }
}

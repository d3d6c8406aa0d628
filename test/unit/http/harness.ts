import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { buildApp } from '../../../server/http/app.ts'
import type { App } from '../../../server/http/app-instance.ts'
import type { AppOptions } from '../../../server/http/route-context.ts'
import { ServerStats } from '../../../server/listener/server-stats.ts'
import { Distribution, SizeRange } from '../../../server/measure.ts'
import { buildMetrics } from '../../../server/metrics/metrics.ts'
import { ManualEnsemble } from '../listener/manual-ensemble.ts'

/** A listener that nobody has used, as its metrics see it. */
export const NO_TRAFFIC = {
  connections: 0,
  outstanding: 0,
  packetsReceived: 0,
  packetsSent: 0,
  latencyMinMs: 0,
  latencyAverageMs: 0,
  latencyMaxMs: 0,
  connectionsRejected: 0,
  connectionsDropped: 0,
  authFailures: 0,
  responseBytes: new SizeRange(),
}

/** The HTTP side over an ensemble in the test's hand, which commits at once unless told otherwise. */
export interface HttpHarness {
  readonly app: App
  readonly ensemble: ManualEnsemble
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
  const metrics = buildMetrics({
    ensemble,
    listener: () => NO_TRAFFIC,
    transport: () => ({ droppedFrames: 0, refusedLinks: 0, silentLinks: 0 }),
    durations: { ...ensemble.measures, ...new ServerStats(), syncMs: new Distribution() },
    startedAtMs: 0,
    nowMs: () => 0,
  })
  const app = await buildApp({
    ensemble,
    metrics,
    logger: pino({ level: 'info' }, { write: (line: string) => void logged.push(line) }),
    authorisation: { mode: 'open' },
    apiTimeoutMs: 1_000,
    forwardTimeoutMs: 1_000,
    requestMsMax: 10_000,
    bodyBytesMax: 2_000,
    refusedBody: { bytesMax: 10_000, msMax: 1_000 },
    keyBytesMax: 100,
    eventLoopDelayMsMax: 0,
    pageDirectory,
    ...options,
  })
  return {
    app,
    ensemble,
    logged,
    close: async () => {
      await app.close()
      rmSync(pageDirectory, { recursive: true, force: true })
    },
  }
}

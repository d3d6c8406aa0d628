import { TRACE_MASK, type WordContext } from '../../../server/listener/word-context.ts'
import { Distribution } from '../../../server/measure.ts'

/** What words report on, but for the server's own parts; the clocks stand still. */
export function wordSource(): Omit<WordContext, 'ensemble' | 'registry' | 'stats'> {
  return {
    version: '0.1.0-abc',
    builtOn: '11/21/2026 07:00 UTC',
    startedAtMs: 1_000,
    nowMs: () => 4_500,
    wallClockMs: () => Date.UTC(2026, 10, 21, 7, 0, 1),
    configuration: {
      clientPort: 2181,
      secureClientPort: -1,
      dataDirectory: '/data',
      logDirectory: '/log',
      listenBacklog: -1,
      tickMs: 2_000,
      connectionsPerAddressMax: 0,
      sessionTimeoutMsMin: 4_000,
      sessionTimeoutMsMax: 40_000,
      electionTimeoutMs: 1_000,
      peerPort: 2888,
    },
    directories: () => ({ dataBytes: 12, logBytes: 34 }),
    measured: { syncMs: new Distribution(), openingMs: new Distribution() },
    trace: { mask: TRACE_MASK },
    listedMax: 100,
  }
}

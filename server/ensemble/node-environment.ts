import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { Environment } from './environment.ts'

/** Time, timers and randomness of this process. */
export function createNodeEnvironment(logger: Logger): Environment {
  return {
    nowMs: () => performance.now(),
    wallClockMs: () => Date.now(),
    random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
    randomBytes: (count) => randomBytes(count),
    after: (ms, call) => {
      const timer = setTimeout(call, ms)
      return () => clearTimeout(timer)
    },
    endOfTurn: (call) => {
      setImmediate(call)
    },
    log: (level, message, fields) => logger[level](fields ?? {}, message),
  }
}

import { ErrorCode } from '../../server/core/machine/error-code.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { LoadAnswer, LoadFigures, LoadJob } from './load.ts'
import { LoadSession } from './load-session.ts'
import {
  Counting,
  type Endless,
  FILLED,
  KEY_COUNT,
  KEYS,
  MADE,
  Once,
  PARENTS,
  prefixOf,
  sourceOf,
} from './request-source.ts'
import { createRequests, deleteRequests, ensureRequest } from './request-stream.ts'

/*
 * The load generator: a process of its own, so that what it costs is not the bench's, told by
 * messages what to do. It drives any server of the ZooKeeper protocol.
 */

const CLEAN_OUTSTANDING = 64
const STALLED_AFTER_MS = 20_000

process.on('message', (job: LoadJob) => {
  void answer(job).then((said) => process.send?.(said))
})
process.on('disconnect', () => process.exit())

async function answer(job: LoadJob): Promise<LoadAnswer> {
  try {
    return { kind: 'done', figures: await perform(job) }
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  }
}

async function perform(job: LoadJob): Promise<LoadFigures | null> {
  if (job.kind === 'measure') return await measure(job)
  await prepare(job.ports)
  if (job.kind === 'fill') await fill(job.ports, job.znodes)
  return null
}

/** Makes the parents and the znodes that are read and set, unless they are there. */
async function prepare(ports: readonly number[]): Promise<void> {
  await withSessions(ports.slice(0, 1), 1, CLEAN_OUTSTANDING, async (sessions) => {
    const session = at(sessions, 0)
    await session.run(new Once(PARENTS.map(ensureRequest)), () => {})
    const keys = { ...createRequests(KEYS, ''), tolerated: ErrorCode.nodeExists }
    await session.run(new Counting([keys], KEY_COUNT), () => {})
  })
}

async function fill(ports: readonly number[], znodes: number): Promise<void> {
  const share = Math.ceil(znodes / ports.length)
  await withSessions(ports, ports.length, CLEAN_OUTSTANDING, async (sessions) => {
    await Promise.all(
      sessions.map((session, index) => {
        const count = Math.min(share, znodes - index * share)
        return session.run(new Counting([createRequests(FILLED, `f${index}-`)], count), () => {})
      }),
    )
  })
}

type Measure = Extract<LoadJob, { kind: 'measure' }>

async function measure(job: Measure): Promise<LoadFigures> {
  const { sessions: count, outstanding } = job.load
  return await withSessions(job.ports, count, outstanding, async (sessions) => {
    const window = new Window()
    const sources = sessions.map((_, index) => sourceOf(job.operation, index))
    const running = Promise.all(
      sessions.map((session, index) => session.run(at(sources, index), window.observe)),
    )
    const timed = window.time(job.warmUpMs, job.measuredMs).then(() => {
      for (const source of sources) source.stop()
    })
    await Promise.race([running, timed])
    await timed
    await running
    if (job.operation === 'create') await deleteMade(job.ports, sources)
    return window.figures()
  })
}

/** The creates of a window go again: every window finds the same tree. */
async function deleteMade(ports: readonly number[], sources: readonly Endless[]): Promise<void> {
  await withSessions(ports, sources.length, CLEAN_OUTSTANDING, async (sessions) => {
    await Promise.all(
      sessions.map((session, index) => {
        const deletes = deleteRequests(MADE, prefixOf(index))
        return session.run(new Counting([deletes], at(sources, index).asked), () => {})
      }),
    )
  })
}

/** Opens sessions round-robin over the servers, and ends them whatever happens. */
async function withSessions<T>(
  ports: readonly number[],
  count: number,
  outstanding: number,
  use: (sessions: readonly LoadSession[]) => Promise<T>,
): Promise<T> {
  const sessions = Array.from(
    { length: count },
    (_, index) => new LoadSession(at(ports, index % ports.length), outstanding),
  )
  const watch = new StallWatch(sessions)
  const each = async (act: (session: LoadSession) => Promise<void>): Promise<void> => {
    await Promise.race([Promise.all(sessions.map(act)), watch.stalled])
  }
  try {
    await each((session) => session.open())
    const result = await Promise.race([use(sessions), watch.stalled])
    // A reply too many may come until the end, and is a failure as any other.
    await each((session) => session.close())
    return result
  } finally {
    for (const session of sessions) session.destroy()
    watch.end()
  }
}

/** Fails when no session has had a reply for long: a server that is stuck must not pass as slow. */
class StallWatch {
  readonly stalled: Promise<never>
  readonly #timer: NodeJS.Timeout

  constructor(sessions: readonly LoadSession[]) {
    let fail: (error: Error) => void = () => {}
    this.stalled = new Promise((_, reject) => {
      fail = reject
    })
    // It may come when nobody waits any more.
    this.stalled.catch(() => {})
    let before = sessions.map(() => -1)
    this.#timer = setInterval(() => {
      const now = sessions.map((session) => session.answered)
      const stuck = sessions.findIndex(
        (session, index) => session.waits && before[index] === now[index],
      )
      before = now
      const session = sessions[stuck]
      if (session !== undefined) fail(new Error(`${session.describe()} for a long time`))
    }, STALLED_AFTER_MS)
  }

  end(): void {
    clearInterval(this.#timer)
  }
}

/** Counts the replies between two moments. */
class Window {
  readonly #latencies = new LatencyHistogram()
  #open = false
  #maxMs = 0
  #openedAtMs = 0
  #openedCpu = process.cpuUsage()
  #seconds = 0
  #cores = 0

  readonly observe = (sentAtMs: number, receivedAtMs: number): void => {
    if (!this.#open) return
    const ms = receivedAtMs - sentAtMs
    this.#latencies.add(ms)
    if (ms > this.#maxMs) this.#maxMs = ms
  }

  async time(warmUpMs: number, measuredMs: number): Promise<void> {
    await pause(warmUpMs)
    this.#open = true
    this.#openedAtMs = performance.now()
    this.#openedCpu = process.cpuUsage()
    await pause(measuredMs)
    this.#open = false
    this.#seconds = (performance.now() - this.#openedAtMs) / 1000
    const { user, system } = process.cpuUsage(this.#openedCpu)
    this.#cores = (user + system) / 1e6 / this.#seconds
  }

  figures(): LoadFigures {
    const operations = this.#latencies.count
    return {
      operations,
      seconds: this.#seconds,
      perSecond: operations / this.#seconds,
      p50Ms: this.#latencies.quantileMs(0.5),
      p99Ms: this.#latencies.quantileMs(0.99),
      maxMs: this.#maxMs,
      generatorCores: this.#cores,
    }
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new Error(`nothing at ${index} of ${items.length}`)
  return item
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

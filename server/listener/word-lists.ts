import type { ClientConnection } from './connection.ts'
import { watchesByPath, watchesBySession, watchSummary } from './watch-lists.ts'
import type { WordContext } from './word-context.ts'

/** The connection that a word came on; no client of the registry. */
export interface Asker {
  readonly address: string
  readonly port: number
}

/** How long ZooKeeper keeps a connection that has no session, and its grain for all of them, ms. */
const CONNECTION_GRAIN_MS = 10_000
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** Lines up to a limit, then one that says that there was more. */
class Lines {
  readonly #max: number
  readonly #lines: string[] = []
  #left = 0

  constructor(max: number) {
    this.#max = max
  }

  get full(): boolean {
    return this.#lines.length >= this.#max
  }

  /** True when there was room. */
  add(line: string): boolean {
    if (this.full) {
      this.#left += 1
      return false
    }
    this.#lines.push(line)
    return true
  }

  toString(): string {
    const text = this.#lines.map((line) => `${line}\n`).join('')
    return this.#left === 0 ? text : `${text}(cut after ${this.#max} lines)\n`
  }
}

/** The connections of `stat` (`brief`) and `cons`; the asker's own is among them, as in ZooKeeper. */
export function connectionList(context: WordContext, asker: Asker | null, brief: boolean): string {
  const lines = new Lines(context.listedMax)
  if (asker !== null) lines.add(` ${place(asker)}[0](queued=0,recved=1,sent=0)`)
  for (const connection of context.registry.all()) {
    const fields = brief || connection.session === 0 ? briefFields : allFields
    const text = fields(connection).join(',')
    if (!lines.add(` ${place(connection)}[${connection.interestOps.toString(16)}](${text})`)) break
  }
  return String(lines)
}

function place({ address, port }: Asker): string {
  return `/${address.includes(':') ? `[${address}]` : address}:${port}`
}

function briefFields({ outstanding, requests }: ClientConnection): readonly string[] {
  return [`queued=${outstanding}`, `recved=${requests.received}`, `sent=${requests.sent}`]
}

function allFields(connection: ClientConnection): readonly string[] {
  const { requests } = connection
  return [
    ...briefFields(connection),
    `sid=0x${unsigned(connection.session)}`,
    `lop=${requests.lastOperation}`,
    `est=${connection.establishedAtMs}`,
    `to=${connection.timeoutMs}`,
    ...(requests.lastCxid >= 0 ? [`lcxid=0x${requests.lastCxid.toString(16)}`] : []),
    `lzxid=0x${unsigned(requests.lastZxid)}`,
    `lresp=${Math.floor(requests.lastResponseMs)}`,
    `llat=${Math.floor(requests.lastLatencyMs)}`,
    `minlat=${Math.floor(requests.minLatencyMs)}`,
    `avglat=${Math.floor(requests.averageLatencyMs)}`,
    `maxlat=${Math.floor(requests.maxLatencyMs)}`,
  ]
}

/** Java's hexadecimal of a long. */
function unsigned(value: number): string {
  return BigInt.asUintN(64, BigInt(value)).toString(16)
}

export function dump(context: WordContext, asker: Asker | null): string {
  const lists = [sessions(context), ephemerals(context), connections(context, asker)]
  return lists.map(String).join('')
}

/** The leader knows when sessions end; other servers know their timeouts. */
function sessions({ ensemble, listedMax, wallClockMs }: WordContext): Lines {
  const lines = new Lines(listedMax)
  lines.add('SessionTracker dump:')
  const table = ensemble.machine.sessions
  if (!ensemble.isLeader) {
    lines.add(`Global Sessions(${table.count}):`)
    for (const { id, timeoutMs } of table.all()) {
      if (!lines.add(`0x${id.toString(16)}\t${timeoutMs}ms`)) break
    }
    return lines
  }
  const deadlines = ensemble.sessionDeadlines()
  const count = deadlines.reduce((sum, deadline) => sum + deadline.sessions.size, 0)
  lines.add(`Session Sets (${deadlines.length})/(${count}):`)
  for (const { inMs, sessions: together } of deadlines) {
    if (!lines.add(`${together.size} expire at ${javaDate(wallClockMs() + inMs)}:`)) break
    for (const id of together) if (!lines.add(`\t0x${id.toString(16)}`)) break
  }
  return lines
}

function ephemerals({ ensemble, listedMax }: WordContext): Lines {
  const lines = new Lines(listedMax)
  const owners = ensemble.machine.tree.ephemerals
  lines.add('ephemeral nodes dump:')
  lines.add(`Sessions with Ephemerals (${owners.size}):`)
  for (const [session, paths] of owners) {
    if (!lines.add(`0x${session.toString(16)}:`)) break
    for (const path of paths) if (!lines.add(`\t${path}`)) break
  }
  return lines
}

/** By when each connection would have been silent for the timeout of its session. */
function connections(context: WordContext, asker: Asker | null): Lines {
  const { registry, listedMax, nowMs, wallClockMs } = context
  const sets = new Map<number, string[]>()
  const add = (deadlineMs: number, line: string) => {
    const bucket = Math.ceil(deadlineMs / CONNECTION_GRAIN_MS) * CONNECTION_GRAIN_MS
    const together = sets.get(bucket)
    if (together === undefined) sets.set(bucket, [line])
    else together.push(line)
  }
  if (asker !== null) add(nowMs() + CONNECTION_GRAIN_MS, `\tip: ${place(asker)} sessionId: 0x0`)
  let listed = 0
  for (const one of registry.all()) {
    if (listed === listedMax) break
    listed += 1
    const keptMs = one.session === 0 ? CONNECTION_GRAIN_MS : one.timeoutMs
    add(one.heardAtMs + keptMs, `\tip: ${place(one)} sessionId: 0x${unsigned(one.session)}`)
  }
  const lines = new Lines(listedMax)
  const count = registry.count + (asker === null ? 0 : 1)
  lines.add('Connections dump:')
  lines.add(`Connections Sets (${sets.size})/(${count}):`)
  for (const [bucket, together] of [...sets].sort(([left], [right]) => left - right)) {
    lines.add(`${together.length} expire at ${javaDate(wallClockMs() + bucket - nowMs())}:`)
    for (const line of together) lines.add(line)
  }
  return lines
}

/** Java's Date.toString, in UTC. */
function javaDate(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())}`
  return `${day} ${time} UTC ${date.getUTCFullYear()}`
}

export function watchCounts(context: WordContext): string {
  const { connections: watching, paths, watches } = watchSummary(context, context.listedMax)
  return `${watching} connections watching ${paths} paths\nTotal watches:${watches}\n`
}

export function watchedPaths(context: WordContext): string {
  const { entries, complete } = watchesBySession(context, context.listedMax)
  const lists = [...entries].map(
    ([session, paths]) =>
      `0x${unsigned(session)}\n${[...paths].map((path) => `\t${path}\n`).join('')}`,
  )
  return `${lists.join('')}${cut(context, complete)}\n`
}

export function watchingSessions(context: WordContext): string {
  const { entries, complete } = watchesByPath(context, context.listedMax)
  const lists = [...entries].map(
    ([path, sessions]) =>
      `${path}\n${[...sessions].map((session) => `\t0x${unsigned(session)}\n`).join('')}`,
  )
  return `${lists.join('')}${cut(context, complete)}\n`
}

function cut({ listedMax }: WordContext, complete: boolean): string {
  return complete ? '' : `(cut after ${listedMax} watches)\n`
}

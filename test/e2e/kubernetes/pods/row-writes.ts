import { readFileSync } from 'node:fs'

const WRITERS = 4
const PACE_MS = 100
export const ANSWER_MS_MAX = 3_000

/** A connection to a database, as its driver has it. */
export interface Session {
  createTable(): Promise<unknown>
  insert(key: string): Promise<unknown>
  end(): Promise<unknown>
  /** At once, also with a question under way. */
  cut(): void
}

const ca = process.env['CA_FILE']
/** Of a driver's options. */
export const tls = ca === undefined ? {} : { ssl: { ca: readFileSync(ca, 'utf8') } }

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Inserts rows without end, from several writers, once there is a table. An insert that fails or is not answered was
 * one that nobody counts on: the next one has another key, since "it is there already" would be true of a row that
 * only one member has. Each acknowledgement is a line.
 */
export async function writeRows(connected: () => Promise<Session>): Promise<void> {
  process.on('SIGTERM', () => process.exit(0))
  while (!(await createTable(connected))) await pause(PACE_MS)
  for (let writer = 0; writer < WRITERS; writer += 1) void write(writer, connected)
}

async function createTable(connected: () => Promise<Session>): Promise<boolean> {
  try {
    const session = await connected()
    await session.createTable()
    await session.end()
    return true
  } catch (error) {
    console.log(`no table yet: ${String(error)}`)
    return false
  }
}

async function write(writer: number, connected: () => Promise<Session>): Promise<never> {
  let n = 0
  const keys = () => `${writer}-${n++}`
  for (;;) {
    await insert(keys, connected).catch((error: unknown) => {
      console.log(`failed ${n} ${String(error)}`)
    })
    await pause(PACE_MS)
  }
}

/** Inserts until something fails; rejects then. */
async function insert(keys: () => string, connected: () => Promise<Session>): Promise<never> {
  const session = await connected()
  try {
    for (;;) {
      const key = keys()
      await session.insert(key)
      console.log(`acknowledged ${key} ${Math.round(performance.timeOrigin + performance.now())}`)
      await pause(PACE_MS)
    }
  } finally {
    session.cut()
  }
}

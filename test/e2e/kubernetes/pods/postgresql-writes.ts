/**
 * Runs in a pod and inserts rows without end through the Service of the primary, from several writers.
 * An insert that fails or is not answered was one that nobody counts on: the next one has another key,
 * since "it is there already" would be true of a row that no standby has. Each acknowledgement is a line.
 */
import { readFileSync } from 'node:fs'
import { Client } from 'pg'

const WRITERS = 4
const PACE_MS = 100
const ANSWER_MS_MAX = 3_000

const ca = process.env['CA_FILE']
const { HOST: host = '', PASSWORD: password = '', TABLE: table = 'writes' } = process.env
/** `local` waits for no standby. */
const commit = process.env['COMMIT'] ?? 'on'
const tls = ca === undefined ? {} : { ssl: { ca: readFileSync(ca, 'utf8') } }

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function connected(): Promise<Client> {
  const client = new Client({
    host,
    port: 5432,
    user: 'postgres',
    database: 'postgres',
    password,
    connectionTimeoutMillis: ANSWER_MS_MAX,
    query_timeout: ANSWER_MS_MAX,
    options: `-c synchronous_commit=${commit}`,
    ...tls,
  })
  // The answer that is waited for fails as well, if there is one.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Inserts until something fails; rejects then. */
async function insert(keys: () => string): Promise<never> {
  const client = await connected()
  try {
    for (;;) {
      const key = keys()
      await client.query(`insert into ${table} values ($1)`, [key])
      console.log(`acknowledged ${key} ${Math.round(performance.timeOrigin + performance.now())}`)
      await pause(PACE_MS)
    }
  } finally {
    // With a question under way this ends the connection at once.
    client.end().catch(() => {})
  }
}

async function createTable(): Promise<boolean> {
  try {
    const client = await connected()
    await client.query(`create table if not exists ${table} (key text primary key)`)
    await client.end()
    return true
  } catch (error) {
    console.log(`no table yet: ${String(error)}`)
    return false
  }
}

async function write(writer: number): Promise<never> {
  let n = 0
  const keys = () => `${writer}-${n++}`
  for (;;) {
    await insert(keys).catch((error: unknown) => console.log(`failed ${n} ${String(error)}`))
    await pause(PACE_MS)
  }
}

process.on('SIGTERM', () => process.exit(0))
while (!(await createTable())) await pause(PACE_MS)
for (let writer = 0; writer < WRITERS; writer += 1) void write(writer)

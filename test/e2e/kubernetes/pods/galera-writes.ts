/**
 * Runs in a pod and inserts rows without end through the Service of the members, from several writers. An insert that
 * fails or is not answered was one that nobody counts on: the next one has another key. Each acknowledgement is a
 * line.
 */
import { readFileSync } from 'node:fs'
import { type Connection, createConnection } from 'mysql2/promise'

const WRITERS = 4
const PACE_MS = 100
const ANSWER_MS_MAX = 3_000

const ca = process.env['CA_FILE']
const { HOST: host = '', PASSWORD: password = '' } = process.env
const tls = ca === undefined ? {} : { ssl: { ca: readFileSync(ca, 'utf8') } }

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function connected(): Promise<Connection> {
  const options = { host, user: 'app', password, database: 'app', connectTimeout: ANSWER_MS_MAX }
  const connection = await createConnection({ ...options, ...tls })
  // The answer that is waited for fails as well, if there is one.
  connection.on('error', () => {})
  return connection
}

/** Inserts until something fails; rejects then. */
async function insert(keys: () => string): Promise<never> {
  const connection = await connected()
  try {
    for (;;) {
      const key = keys()
      const sql = 'insert into writes values (?)'
      await connection.query({ sql, timeout: ANSWER_MS_MAX }, [key])
      console.log(`acknowledged ${key} ${Math.round(performance.timeOrigin + performance.now())}`)
      await pause(PACE_MS)
    }
  } finally {
    connection.destroy()
  }
}

async function createTable(): Promise<boolean> {
  try {
    const connection = await connected()
    await connection.query('create table if not exists writes (name varchar(64) primary key)')
    await connection.end()
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

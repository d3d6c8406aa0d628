/** Runs in a pod and inserts rows without end through the Service of the primary. */
import { Client } from 'pg'
import { ANSWER_MS_MAX, type Session, tls, writeRows } from './row-writes.ts'

const { HOST: host = '', PASSWORD: password = '', TABLE: table = 'writes' } = process.env
/** `local` waits for no standby. */
const commit = process.env['COMMIT'] ?? 'on'

async function connected(): Promise<Session> {
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
  return {
    createTable: () => client.query(`create table if not exists ${table} (key text primary key)`),
    insert: (key) => client.query(`insert into ${table} values ($1)`, [key]),
    end: () => client.end(),
    // With a question under way this ends the connection at once.
    cut: () => void client.end().catch(() => {}),
  }
}

await writeRows(connected)

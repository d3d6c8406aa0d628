/** Runs in a pod and inserts rows without end through the Service of the members. */
import { createConnection } from 'mysql2/promise'
import { ANSWER_MS_MAX, type Session, tls, writeRows } from './row-writes.ts'

const { HOST: host = '', PASSWORD: password = '' } = process.env

async function connected(): Promise<Session> {
  const options = { host, user: 'app', password, database: 'app', connectTimeout: ANSWER_MS_MAX }
  const connection = await createConnection({ ...options, ...tls })
  // The answer that is waited for fails as well, if there is one.
  connection.on('error', () => {})
  const sql = 'insert into writes values (?)'
  return {
    createTable: () =>
      connection.query('create table if not exists writes (name varchar(64) primary key)'),
    insert: (key) => connection.query({ sql, timeout: ANSWER_MS_MAX }, [key]),
    end: () => connection.end(),
    cut: () => connection.destroy(),
  }
}

await writeRows(connected)

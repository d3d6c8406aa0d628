/**
 * Runs in a pod and inserts documents without end, from several writers, each acknowledged by a majority before
 * the next; each acknowledgement is a line. What was refused or not answered may be there or not: it is tried again
 * under another key.
 */
import { COLLECTION, DATABASE, mongodbClient, type Written } from './mongodb-client.ts'

const WRITERS = 4
/** A log of the kubelet holds a hundred thousand lines, and a story lasts for half an hour. */
const PACE_MS = 100

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const client = mongodbClient()
const writes = client.db(DATABASE).collection<Written>(COLLECTION)
const options = { writeConcern: { w: 'majority', wtimeoutMS: 10_000 } } as const

async function write(writer: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const _id = `load-${writer}-${n}`
    try {
      await writes.insertOne({ _id }, options)
      console.log(`acknowledged ${_id} ${Math.round(performance.now())}`)
    } catch (error) {
      console.log(`unanswered ${_id} ${String(error)}`)
    }
    await pause(PACE_MS)
  }
}

process.on('SIGTERM', () => process.exit(0))
for (let writer = 0; writer < WRITERS; writer += 1) void write(writer)

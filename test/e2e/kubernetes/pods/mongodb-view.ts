/**
 * Runs in a pod and says over HTTP, to whoever is in the pod, what the primary of a replica set answers to the
 * official driver: `/config` and `/status` (replSetGetConfig, replSetGetStatus), and `/keys`, every document's.
 */
import { createServer } from 'node:http'
import { COLLECTION, DATABASE, mongodbClient, type Written } from './mongodb-client.ts'

const client = mongodbClient()
const admin = client.db('admin')

async function answer(path: string): Promise<string> {
  if (path === '/config') return JSON.stringify(await admin.command({ replSetGetConfig: 1 }))
  if (path === '/status') return JSON.stringify(await admin.command({ replSetGetStatus: 1 }))
  if (path !== '/keys') throw new Error(`there is no ${path}`)
  const written = await client.db(DATABASE).collection<Written>(COLLECTION).find().toArray()
  return written.map(({ _id }) => _id).join('\n')
}

createServer((request, response) => {
  answer(request.url ?? '').then(
    (text) => response.end(text),
    (error: unknown) => {
      console.log(`${request.url}: ${String(error)}`)
      response.writeHead(503).end(String(error))
    },
  )
}).listen(8000, '127.0.0.1', () => console.log('answers'))
process.on('SIGTERM', () => process.exit(0))

/**
 * Runs in a pod among the processes of a node: SIGKILL to every process of the engine of the pod that
 * is named, at once, and to nothing else of it. With AT_MS at that time, by the node's clock, so that
 * pods of several nodes can be struck together.
 */
import { pause, processesWith } from './processes.ts'

const lines = [`POD_NAME=${process.env['POD']}`, `POD_NAMESPACE=${process.env['IN']}`]
const atMs = Number(process.env['AT_MS'] ?? 0)
if (atMs > 0 && Date.now() > atMs) throw new Error(`${Date.now() - atMs} ms too late`)
// The first one of a container takes the others with it.
const pids = processesWith(lines).map(Number)
if (pids.length === 0) throw new Error(`${process.env['POD']} has no process of an engine`)
while (Date.now() < atMs) await pause(5)
for (const pid of pids) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // Gone with another one already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
console.log(`killed ${pids.join(' ')} at ${Date.now()}`)

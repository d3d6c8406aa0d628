/**
 * Runs in a pod among the processes of a node: SIGKILL to every process of the engine of the pod that
 * is named, at once, and to nothing else of it.
 */
import { processesWith } from './processes.ts'

const lines = [`POD_NAME=${process.env['POD']}`, `POD_NAMESPACE=${process.env['IN']}`]
// The first one of a container takes the others with it.
const pids = processesWith(lines).map(Number)
if (pids.length === 0) throw new Error(`${process.env['POD']} has no process of an engine`)
for (const pid of pids) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // Gone with another one already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
console.log(`killed ${pids.join(' ')} at ${Date.now()}`)

/**
 * Runs in a pod among the processes of a node: SIGKILL to every process of the engine of the pod that
 * is named, at once, and to nothing else of it.
 */
import { readdirSync } from 'node:fs'
import { read } from './processes.ts'

const lines = [`POD_NAME=${process.env['POD']}`, `POD_NAMESPACE=${process.env['IN']}`]
const ofTheEngine = (pid: string) => {
  const environment = read(pid, 'environ').split('\0')
  return lines.every((line) => environment.includes(line))
}
// The first one of a container takes the others with it.
const pids = readdirSync('/proc')
  .filter((name) => /^\d+$/.test(name) && ofTheEngine(name))
  .map(Number)
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

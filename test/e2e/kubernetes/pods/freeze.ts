/** Runs in a pod among the processes of a node: SIGSTOP to the server of the pod that is named. */
import { readdirSync, readFileSync } from 'node:fs'

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    // It has ended since it was listed.
    return ''
  }
}

const stopped = readdirSync('/proc')
  .filter((name) => /^\d+$/.test(name))
  .filter((pid) => {
    const environment = read(pid, 'environ').split('\0')
    return (
      environment.includes(`POD_NAME=${process.env['POD']}`) &&
      environment.includes(`POD_NAMESPACE=${process.env['IN']}`) &&
      read(pid, 'cmdline').includes('permitted')
    )
  })
for (const pid of stopped) process.kill(Number(pid), 'SIGSTOP')
console.log(`stopped ${stopped.length}`)

/**
 * Runs in a pod among the processes of a node: for SECONDS it kills the agent of the pod that is named
 * whenever that runs, in turns at once and when it has had a while to do something.
 */
import { readdirSync, readFileSync } from 'node:fs'

const LOOK_EVERY_MS = 20
const WHILE_MS = 3_000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    // It has ended since it was listed.
    return ''
  }
}

function agent(): string | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => {
      const environment = read(pid, 'environ').split('\0')
      return (
        environment.includes(`QUORATE_AGENT_POD=${process.env['POD']}`) &&
        environment.includes(`QUORATE_AGENT_NAMESPACE=${process.env['IN']}`) &&
        read(pid, 'cmdline').split('\0').includes('agent')
      )
    })
}

const endMs = performance.now() + 1_000 * Number(process.env['SECONDS'])
let kills = 0
let last = ''
while (performance.now() < endMs) {
  const pid = agent()
  if (pid !== undefined && pid !== last) {
    if (kills % 2 === 1) await pause(WHILE_MS)
    try {
      process.kill(Number(pid), 'SIGKILL')
      kills += 1
      console.log(`killed ${Math.round(performance.now())}`)
    } catch {
      // It had ended by itself.
    }
    last = pid
  }
  await pause(LOOK_EVERY_MS)
}
console.log(`kills ${kills}`)

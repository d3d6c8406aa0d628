/**
 * Runs in a pod among the processes of a node: for SECONDS it kills the agent of the pod that is named
 * whenever that runs, in turns at once and when it has had a while to do something.
 */
import { pause, processWith } from './processes.ts'

const LOOK_EVERY_MS = 20
const WHILE_MS = 3_000

const agent = () =>
  processWith(
    [`QUORATE_AGENT_POD=${process.env['POD']}`, `QUORATE_AGENT_NAMESPACE=${process.env['IN']}`],
    'agent',
  )

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

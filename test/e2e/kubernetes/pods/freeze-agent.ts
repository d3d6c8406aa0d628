/** Runs in a pod among the processes of a node: SIGSTOP to the agent of the pod that is named. */
import { processWith } from './processes.ts'

const { POD, IN } = process.env
const pid = processWith([`QUORATE_AGENT_POD=${POD}`, `QUORATE_AGENT_NAMESPACE=${IN}`], 'agent')
if (pid === undefined) throw new Error(`${POD} has no agent`)
process.kill(Number(pid), 'SIGSTOP')
console.log(`stopped ${pid}`)

/**
 * Runs in a pod among the processes of a node: one signal to the server of the pod that is named, and
 * to nothing else of it, at the moment that is named.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { pause, processWith, read } from './processes.ts'

const LOOK_EVERY_MS = 1
const PIPE = '/run/quorate/permit'
const IDENTITY = '/var/lib/quorate/data/server/identity.json'
/** State of a socket that listens, as the kernel's tables write it. */
const LISTENS = '0A'

const server = () =>
  processWith([`POD_NAME=${process.env['POD']}`, `POD_NAMESPACE=${process.env['IN']}`], 'permitted')

/** The process has the permit pipe open: it waits for a line, or has not read it yet. */
function asks(pid: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(PIPE)
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}

function listens(pid: string): boolean {
  const port = Number(process.env['HTTP_PORT']).toString(16).toUpperCase().padStart(4, '0')
  const sockets = `${read(pid, 'net/tcp')}${read(pid, 'net/tcp6')}`.split('\n')
  return sockets.some((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    return local.endsWith(`:${port}`) && state === LISTENS
  })
}

/** The disk names a cluster: an ensemble has just taken this server in. */
function belongs(pid: string): boolean {
  const [line = ''] = read(pid, `root${IDENTITY}`).split('\n')
  return /"clusterId":"[^"]+"/.test(line)
}

/** Its agent takes it out of service, and it is a member still. */
async function drains(): Promise<boolean> {
  const { POD_IP, AGENT_PORT } = process.env
  try {
    const response = await fetch(`http://${POD_IP}:${AGENT_PORT}/status`)
    const { phase, drain } = (await response.json()) as {
      phase: string
      drain: { removed: boolean } | null
    }
    return phase === 'draining' && drain?.removed === false
  } catch {
    return false
  }
}

const asked = new Set<string>()
const moments: Readonly<Record<string, (pid: string) => boolean | Promise<boolean>>> = {
  now: () => true,
  /** It has its permit and does not answer yet. */
  starting: (pid) => {
    if (asks(pid)) asked.add(pid)
    return asked.has(pid) && !asks(pid) && !listens(pid)
  },
  joining: belongs,
  draining: drains,
}

const { AT = '', SIGNAL = '' } = process.env
const come = moments[AT]
if (come === undefined) throw new Error(`there is no moment ${AT}`)
console.log('armed')
for (;;) {
  const pid = server()
  if (pid !== undefined && (await come(pid))) {
    process.kill(Number(pid), SIGNAL)
    console.log(`${SIGNAL} ${AT}`)
    break
  }
  await pause(LOOK_EVERY_MS)
}

import * as fs from 'node:fs'

/*
 * One server per data directory. Node has no flock, so the lock is a file that names its owner: the
 * process number, when that process began and the boot it belongs to. An owner that was killed left
 * its file behind, and is recognised as gone: no such process, or one that began at another time
 * (the number of a container's first process is always the same), or another boot. A process of
 * another container on the same machine cannot be seen; there the volume's access mode guards.
 */

const lockName = 'lock'

/** Takes the lock; false when a living process (this one, too) holds it. */
export function lockDirectory(directory: string): boolean {
  const path = `${directory}/${lockName}`
  const own = `${path}.${process.pid}`
  fs.writeFileSync(own, describe(process.pid))
  try {
    if (linked(own, path)) return true
    const held = contentOf(path)
    if (held !== null && isAlive(held)) return false
    if (held !== null && !removed(path, held)) return false
    return linked(own, path)
  } finally {
    fs.unlinkSync(own)
  }
}

/** Removes the lock if this process holds it. */
export function unlockDirectory(directory: string): void {
  const path = `${directory}/${lockName}`
  if (contentOf(path) === describe(process.pid)) fs.unlinkSync(path)
}

/** A link to an existing name fails: of two processes that try at once, one succeeds. */
function linked(own: string, path: string): boolean {
  try {
    fs.linkSync(own, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Takes away a dead owner's file; false when another process was faster and holds the lock. */
function removed(path: string, held: string): boolean {
  const aside = `${path}.${process.pid}.stale`
  try {
    fs.renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true
    throw error
  }
  const mine = contentOf(aside) === held
  if (!mine) linked(aside, path)
  fs.unlinkSync(aside)
  return mine
}

function isAlive(held: string): boolean {
  const pid = Number.parseInt(held, 10)
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  if (fs.existsSync('/proc/self/stat')) return describe(pid) === held
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** `<pid> <start time in clock ticks since boot> <boot id>`; without /proc only the first. */
function describe(pid: number): string {
  const stat = contentOf(`/proc/${pid}/stat`)
  // The second field is a name in parentheses that may hold spaces; the start time is the 22nd.
  const began = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  const boot = contentOf('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
  return `${pid} ${began} ${boot}\n`
}

function contentOf(path: string): string | null {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return null
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

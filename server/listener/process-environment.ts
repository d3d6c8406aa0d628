import { arch, homedir, hostname, release, tmpdir, totalmem, type, userInfo } from 'node:os'
import { dirname } from 'node:path'

const MEGABYTE = 1024 * 1024

/** What `envi` tells of this process, under ZooKeeper's names; Java's are answered for Node. */
export function processEnvironment(fullVersion: string): readonly (readonly [string, string])[] {
  const { heapUsed, heapTotal } = process.memoryUsage()
  const megabytes = (bytes: number) => `${Math.floor(bytes / MEGABYTE)}MB`
  return [
    ['zookeeper.version', fullVersion],
    ['host.name', hostname()],
    ['java.version', process.version],
    ['java.vendor', 'Node.js'],
    ['java.home', dirname(process.execPath)],
    ['java.class.path', process.argv[1] ?? '<NA>'],
    ['java.library.path', '<NA>'],
    ['java.io.tmpdir', tmpdir()],
    ['java.compiler', '<NA>'],
    ['os.name', type()],
    ['os.arch', arch()],
    ['os.version', release()],
    ['user.name', userName()],
    ['user.home', homedir()],
    ['user.dir', process.cwd()],
    ['os.memory.free', megabytes(heapTotal - heapUsed)],
    ['os.memory.max', megabytes(totalmem())],
    ['os.memory.total', megabytes(heapTotal)],
  ]
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    // No entry for this id in the system's list of users.
    return process.getuid === undefined ? '<NA>' : String(process.getuid())
  }
}

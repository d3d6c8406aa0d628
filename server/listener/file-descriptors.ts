import { readdirSync, readFileSync } from 'node:fs'

export interface FileDescriptors {
  readonly open: number
  readonly limit: number
}

/** This process's file descriptors; null where the system does not tell (only Linux does, in /proc). */
export function fileDescriptors(): FileDescriptors | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    if (soft === undefined) return null
    return { open: readdirSync('/proc/self/fd').length, limit: Number(soft) }
  } catch {
    // No /proc: another system, or one that hides it.
    return null
  }
}

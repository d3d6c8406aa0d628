import { readdirSync, readFileSync } from 'node:fs'

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A file of a process of this node; '' when it has ended, or the file is not there yet. */
export function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** The processes with these lines in their environment. */
export function processesWith(lines: readonly string[]): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false
    const environment = read(name, 'environ').split('\0')
    return lines.every((line) => environment.includes(line))
  })
}

/** The one of them with this word in its command, if it runs. */
export function processWith(lines: readonly string[], word: string): string | undefined {
  return processesWith(lines).find((pid) => read(pid, 'cmdline').split('\0').includes(word))
}

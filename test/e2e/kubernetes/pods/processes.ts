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

/** The process with these lines in its environment and this word in its command, if it runs. */
export function processWith(lines: readonly string[], word: string): string | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => {
      const environment = read(pid, 'environ').split('\0')
      const isIts = lines.every((line) => environment.includes(line))
      return isIts && read(pid, 'cmdline').split('\0').includes(word)
    })
}

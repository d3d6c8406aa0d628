import { readFileSync } from 'node:fs'
import { imageValues, type Namespace, run } from './cluster.ts'

/** Of a page: the commands of a section, one text for each of its blocks. */
export function pageCommands(file: string): (heading: string) => string[] {
  const page = readFileSync(file, 'utf8')
  return (heading) => {
    const [, section = ''] = page.split(`\n## ${heading}\n`)
    const [own = ''] = section.split('\n## ')
    return [...own.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  }
}

/**
 * What a page has a reader type: runs a block of commands, and resolves with what they print. Other images, arguments
 * of helm, are given behind the file of `values`, where those of the page cannot be had.
 */
export function readerOf(namespace: Namespace, values: string, images: readonly string[]) {
  // The page names no namespace: the one of the reader's context is meant.
  const here = ['kubectl', 'helm']
    .map((command) => `${command}() { command ${command} -n ${namespace.name} "$@"; }`)
    .join('\n')
  return async (block: string | undefined): Promise<string> => {
    if (block === undefined) throw new Error('the page has no such commands any more')
    const words = [...imageValues(), ...images].map((word) => `'${word}'`)
    const text = block.replace(values, [values, ...words].join(' '))
    return await run('bash', ['-euo', 'pipefail', '-c', `${here}\n${text}`])
  }
}

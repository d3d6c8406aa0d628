import { readFileSync } from 'node:fs'

/** Of a page: the commands of a section, one text for each of its blocks. */
export function pageCommands(file: string): (heading: string) => string[] {
  const page = readFileSync(file, 'utf8')
  return (heading) => {
    const [, section = ''] = page.split(`\n## ${heading}\n`)
    const [own = ''] = section.split('\n## ')
    return [...own.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  }
}

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

const FILE = fileURLToPath(new URL('../../examples/redis/redis-values.yaml', import.meta.url))
/** Of a block, what the agent is told as it stands there. */
const PASSED = [
  'health',
  'role',
  'start',
  'hooks',
  'bootstrap',
  'order',
  'removedReturns',
  'leaves',
]

export interface GenericBlock {
  readonly command: readonly string[]
  readonly ports: Readonly<Record<string, number>>
  readonly image: { readonly tag: string }
  readonly role?: { readonly leader: string }
  readonly files?: Readonly<Record<string, object>>
  readonly uses?: readonly string[]
}

/** The example, as its values have it. */
export function exampleBlocks(): Readonly<Record<string, GenericBlock>> {
  const values = parse(readFileSync(FILE, 'utf8'), { merge: true })
  return values.generic
}

/**
 * The agent's document of a component, made of its values as the chart makes it: a test of the chart compares the two.
 * `clusterOf`: the name of a component in the tree.
 */
export function documentOf(
  blocks: Readonly<Record<string, GenericBlock>>,
  name: string,
  clusterOf: (component: string) => string,
): Record<string, unknown> {
  const block = blocks[name]
  if (block === undefined) throw new Error(`there is no component ${name}`)
  const passed = Object.entries(block).filter(([key]) => PASSED.includes(key))
  const files = Object.entries(block.files ?? {}).map(([file, spec]) => ({ name: file, ...spec }))
  const uses = (block.uses ?? []).map((used) => {
    const leader = blocks[used]?.role?.leader
    return [used, { cluster: clusterOf(used), ...(leader === undefined ? {} : { leader }) }]
  })
  const [port] = Object.keys(block.ports)
  return {
    ...Object.fromEntries(passed),
    ports: block.ports,
    port,
    version: block.image.tag,
    ...(files.length === 0 ? {} : { files }),
    ...(uses.length === 0 ? {} : { uses: Object.fromEntries(uses) }),
  }
}

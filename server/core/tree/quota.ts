/** ZooKeeper's quotas (Quotas and StatsTrack of 3.9.5): znodes below /zookeeper/quota that bound a subtree. */

const ROOT = '/zookeeper/quota/'
const LIMITS = '/zookeeper_limits'
const STATS = '/zookeeper_stats'

/** The subtree whose limits the znode at `path` holds; null for every other znode. */
export function limitedBy(path: string): string | null {
  return subtreeOf(path, LIMITS)
}

/** The subtree whose use the znode at `path` holds; null for every other znode. */
export function countedBy(path: string): string | null {
  return subtreeOf(path, STATS)
}

export function limitsPathOf(subtree: string): string {
  return `/zookeeper/quota${subtree}${LIMITS}`
}

export function statsPathOf(subtree: string): string {
  return `/zookeeper/quota${subtree}${STATS}`
}

function subtreeOf(path: string, ending: string): string | null {
  if (!path.startsWith(ROOT) || !path.endsWith(ending)) return null
  const subtree = path.slice(ROOT.length - 1, -ending.length)
  return subtree === '' ? null : subtree
}

/** What limits and use are written as; -1 stands for a number that is not given. */
export type QuotaNumbers = ReadonlyMap<string, number>

export function quotaNumber(numbers: QuotaNumbers, key: string): number {
  return numbers.get(key) ?? -1
}

/**
 * Reads "count=5,bytes=10=;byteHardLimit=20" as StatsTrack does: pairs between commas or semicolons,
 * of each pair what stands before the first and behind it up to the next equals sign. Null: ZooKeeper
 * cannot read it either.
 */
export function parseQuota(text: string): QuotaNumbers | null {
  const numbers = new Map<string, number>()
  if (text === '') return numbers
  const pairs = text.split(/[,;]+/)
  if (pairs.at(-1) === '') pairs.pop()
  for (const pair of pairs) {
    const parts = pair.split('=')
    while (parts.at(-1) === '') parts.pop()
    const [key, value] = parts
    if (key === undefined || value === undefined) return null
    if (value === '') numbers.set(key, -1)
    else if (/^[+-]?\d{1,19}$/.test(value)) numbers.set(key, Number(value))
    else return null
  }
  return numbers
}

/** Count and bytes first and a second equals sign behind them, which old readers need. */
export function formatQuota(numbers: QuotaNumbers): string {
  const first = `count=${quotaNumber(numbers, 'count')},bytes=${quotaNumber(numbers, 'bytes')}`
  const others = [...numbers.keys()].filter((key) => key !== 'count' && key !== 'bytes').sort()
  if (others.length === 0) return first
  return `${first}=${others.map((key) => `;${key}=${numbers.get(key)}`).join('')}`
}

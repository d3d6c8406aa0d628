const KEYWORDS = new Set([
  'and',
  'or',
  'unless',
  'by',
  'without',
  'on',
  'ignoring',
  'bool',
  'offset',
])
const GROUPING = /\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g

/** The metrics that an expression of Prometheus names, each once. */
export function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(GROUPING, ' ')
  const words = [...bare.matchAll(/[A-Za-z_:][\w:]*(?!\w*\s*\()/g)].map(([word]) => word)
  return [...new Set(words.filter((word) => !KEYWORDS.has(word)))]
}

const REFUSALS = [
  ['refuses to leave', 'LeaveRefused'],
  ['refuses service', 'ServiceRefused'],
  ['refuses', 'StartRefused'],
] as const

/** The event that tells people of a decision which waits for them; null: it waits for nobody. */
export function refusalOf(reason: string): (typeof REFUSALS)[number][1] | null {
  return REFUSALS.find(([words]) => reason.startsWith(words))?.[1] ?? null
}

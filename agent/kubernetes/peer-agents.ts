import * as Type from 'typebox'
import { Value } from 'typebox/value'
import type { DiskReport, PeerReport } from '../core/observation.ts'
import { exchange, headersOf } from '../http/exchange.ts'

/** What GET /disk of an agent answers. */
const Disk = Type.Union([
  Type.Object({
    kind: Type.Literal('member'),
    clusterId: Type.String(),
    incarnation: Type.String(),
    departed: Type.Boolean(),
  }),
  Type.Object({
    kind: Type.Literal('empty'),
    founding: Type.Union([Type.String(), Type.Null()]),
  }),
  Type.Object({ kind: Type.Literal('unreadable'), reason: Type.String() }),
])
const Report = Type.Object({ pod: Type.String(), disk: Disk })

export interface PeerAgentsOptions {
  /** URL of the agent of an ordinal, without a path. */
  readonly urlOf: (ordinal: number) => string
  readonly podOf: (ordinal: number) => string
  readonly timeoutMs: number
  readonly nowMs: () => number
}

/** Asks the agents of the given ordinals what their disks hold; who does not answer is left out. */
export async function askPeers(
  ordinals: readonly number[],
  options: PeerAgentsOptions,
): Promise<PeerReport[]> {
  const reports = await Promise.all(ordinals.map((ordinal) => askPeer(ordinal, options)))
  return reports.filter((report) => report !== null)
}

async function askPeer(ordinal: number, options: PeerAgentsOptions): Promise<PeerReport | null> {
  const atMs = options.nowMs()
  try {
    const url = new URL(`${options.urlOf(ordinal)}/disk`)
    const { status, text } = await exchange(url, { headers: headersOf('') }, '', options.timeoutMs)
    const answer: unknown = JSON.parse(text)
    if (status !== 200 || !Value.Check(Report, answer)) return null
    // A name that resolves to a pod of before would speak of another disk.
    if (answer.pod !== options.podOf(ordinal)) return null
    const disk: DiskReport = answer.disk
    return { ordinal, atMs, disk }
  } catch {
    // Not there yet: the decision names whose report is missing.
    return null
  }
}

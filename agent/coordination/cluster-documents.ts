import * as Type from 'typebox'
import { Value } from 'typebox/value'
import type {
  BootstrapIntent,
  Initialized,
  PublishedMember,
  RecoveryReport,
  Tombstone,
} from '../core/cluster/facts.ts'

/** Raised only when an agent of before would read the new form wrongly. */
const VERSION = 1

const V = Type.Literal(VERSION)
const Text = Type.String()
const Count = Type.Number()
const Position = Type.Union([Text, Type.Null()])

const InitializedDocument = Type.Object({
  v: V,
  engineClusterId: Text,
  by: Text,
  at: Count,
  position: Position,
  expected: Count,
})
const IntentDocument = Type.Object({
  v: V,
  by: Text,
  incarnation: Count,
  token: Text,
  nonce: Text,
  chosenFrom: Type.Record(Text, Text),
})
const ReportDocument = Type.Object({
  v: V,
  engineClusterId: Text,
  position: Position,
  empty: Type.Boolean(),
  started: Type.Boolean(),
  incarnation: Count,
})
const TombstoneDocument = Type.Object({
  v: V,
  identity: Text,
  done: Type.Boolean(),
  at: Count,
  reason: Text,
})
const MemberDocument = Type.Object({
  status: Text,
  enabled: Type.Boolean(),
  payload: Type.Object({ role: Text, incarnation: Count }),
})

export function encodeClusterDocument(value: object): Uint8Array {
  return Buffer.from(JSON.stringify({ v: VERSION, ...value }))
}

export function readInitialized(data: Uint8Array): Initialized | null {
  const value = parsed(data)
  if (!Value.Check(InitializedDocument, value)) return null
  const { engineClusterId, by, at, position, expected } = value
  return { engineClusterId, by, at, position, expected }
}

export function readIntent(data: Uint8Array): BootstrapIntent | null {
  const value = parsed(data)
  if (!Value.Check(IntentDocument, value)) return null
  const { by, incarnation, token, nonce, chosenFrom } = value
  return { by, incarnation, token, nonce, chosenFrom }
}

export function readReport(data: Uint8Array): RecoveryReport | null {
  const value = parsed(data)
  if (!Value.Check(ReportDocument, value)) return null
  const { engineClusterId, position, empty, started, incarnation } = value
  return { engineClusterId, position, empty, started, incarnation }
}

/** A tombstone that cannot be read is one all the same: of whatever the disk holds. */
export function readTombstone(data: Uint8Array): Tombstone {
  const value = parsed(data)
  if (!Value.Check(TombstoneDocument, value)) {
    return { identity: '', done: true, at: 0, reason: 'unknown' }
  }
  const { identity, done, at, reason } = value
  return { identity, done, at, reason }
}

export function readPublished(data: Uint8Array): PublishedMember | null {
  const value = parsed(data)
  if (!Value.Check(MemberDocument, value)) return null
  const { status, enabled, payload } = value
  return { status, ready: enabled, role: payload.role, incarnation: payload.incarnation }
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString())
  } catch {
    // Whatever it is, it is no document.
    return null
  }
}

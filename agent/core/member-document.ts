/** host and port as a client reaches them. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * What a member says of itself, before it is written in the one form that three kinds of readers
 * take: Curator's ServiceDiscovery, Prometheus' serverset discovery, and any reader of JSON.
 */
export interface MemberFacts {
  readonly cluster: string
  readonly pod: string
  readonly namespace: string
  readonly fqdn: string
  readonly ordinal: number
  readonly engine: string
  readonly engineVersion: string
  readonly role: string
  /** The engine's own count of its leaders; null where it has none, and then left out. */
  readonly generation: number | null
  /** By which clients reach the whole cluster; left out of the document where it is. */
  readonly connection?: string
  readonly host: string
  /** Null: clients are served with TLS alone, on `sslPort`; one of the two is there. */
  readonly port: number | null
  readonly sslPort: number | null
  /** By name: metrics, health, peers, … */
  readonly endpoints: Readonly<Record<string, Endpoint>>
  readonly status: 'STARTING' | 'ALIVE' | 'WARNING' | 'STOPPING'
  readonly enabled: boolean
  /** Counts the starts of this member's agent: a higher one replaces a lower. */
  readonly incarnation: number
  readonly registeredAtMs: number
  /** Unix time of becoming usable, null while it is not. */
  readonly readySinceMs: number | null
}

/** Readers ignore what they do not know; `v` only rises when a reader of this one would break. */
const MEMBER_DOCUMENT_VERSION = 1

/** The document as a plain object; keys in a fixed order, no secrets. */
export function memberDocument(facts: MemberFacts): Readonly<Record<string, unknown>> {
  const { host, port, sslPort } = facts
  return {
    v: MEMBER_DOCUMENT_VERSION,
    schema: 'member/v1',
    // Curator's ServiceInstance.
    name: facts.cluster,
    id: facts.pod,
    address: host,
    port,
    sslPort,
    payload: {
      role: facts.role,
      ...(facts.generation === null ? {} : { generation: facts.generation }),
      incarnation: facts.incarnation,
      ready: facts.enabled,
      readySince: facts.readySinceMs,
      pod: facts.pod,
      namespace: facts.namespace,
      fqdn: facts.fqdn,
      engine: facts.engine,
      engineVersion: facts.engineVersion,
      ...(facts.connection === undefined ? {} : { connection: facts.connection }),
    },
    registrationTimeUTC: facts.registeredAtMs,
    serviceType: 'DYNAMIC',
    uriSpec: null,
    enabled: facts.enabled,
    // Twitter's ServerSet entry.
    serviceEndpoint: { host, port: port ?? sslPort },
    additionalEndpoints: facts.endpoints,
    status: facts.status,
    shard: facts.ordinal,
  }
}

/** What is read back of a document that somebody else may have written. */
export interface KnownDocument {
  readonly id: string
  readonly incarnation: number
}

/** The identity in a document, or null when it is none of ours. */
export function readMemberDocument(text: string): KnownDocument | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Whatever it is, it is no document.
    return null
  }
  if (!isRecord(value) || !isRecord(value['payload'])) return null
  const { id } = value
  const { incarnation } = value['payload']
  return typeof id === 'string' && typeof incarnation === 'number' ? { id, incarnation } : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

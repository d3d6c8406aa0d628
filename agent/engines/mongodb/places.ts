import { ordinalOf } from '../../core/observation.ts'
import { limits } from '../../limits.ts'

export interface PlacesOptions {
  readonly set: string
  readonly port: number
  /** host:port by ordinal, in place of DNS names. */
  readonly given: readonly string[]
  readonly dnsName: (ordinal: number) => string
}

/** Who is where: pods have names, MongoDB knows hosts with ports. */
export class Places {
  readonly #options: PlacesOptions

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** As the configuration of the replica set lists the pod. */
  of(ordinal: number): string {
    const { given, dnsName, port } = this.#options
    return given[ordinal] ?? `${dnsName(ordinal)}:${port}`
  }

  /** Null for a name that is no pod of the set. */
  ofPod(pod: string): string | null {
    const ordinal = ordinalOf(pod, this.#options.set)
    return ordinal === null ? null : this.of(ordinal)
  }

  /** The pod at a place; of a member that somebody else added the place itself, which no pod is called. */
  podAt(place: string): string {
    const { given, set } = this.#options
    const index = given.indexOf(place)
    if (index >= 0) return `${set}-${index}`
    const [label = ''] = place.split('.')
    const ordinal = ordinalOf(label, set)
    return ordinal !== null && this.of(ordinal) === place ? label : place
  }
}

/** host and port of a place; an IPv6 address is in brackets. */
export function splitPlace(place: string): { readonly host: string; readonly port: number } {
  const colon = place.lastIndexOf(':')
  const host = place.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(place.slice(colon + 1)) }
}

/**
 * By which drivers reach the whole set, whoever is primary: a few of its members are enough for them to find
 * the others. Without a user: this is no secret. The address of a pod that is gone answers nothing, and drivers
 * would wait half a minute for it by themselves.
 */
export function connectionString(
  places: readonly string[],
  replicaSet: string,
  tls: boolean,
): string {
  const name = encodeURIComponent(replicaSet)
  const query = `replicaSet=${name}&connectTimeoutMS=${limits.mongodbClientConnectMs}${tls ? '&tls=true' : ''}`
  return `mongodb://${places.join(',')}/?${query}`
}

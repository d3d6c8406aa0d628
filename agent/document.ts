import type { AgentConfig } from './config.ts'
import type { Decision } from './core/decide.ts'
import { type Endpoint, memberDocument } from './core/member-document.ts'
import type { Observation } from './core/observation.ts'
import type { Engine } from './engines/engine.ts'

/** Composes the text of the member document, the same text for the same facts. */
export class DocumentWriter {
  readonly #config: AgentConfig
  readonly #engine: Engine
  readonly #incarnation: number
  readonly #registeredAtMs: number
  #readySinceMs: number | null = null
  #version = ''

  constructor(config: AgentConfig, engine: Engine, incarnation: number, wallMs: number) {
    this.#config = config
    this.#engine = engine
    this.#incarnation = incarnation
    this.#registeredAtMs = wallMs
  }

  /** The engine's version as it became known. */
  set version(version: string) {
    this.#version = version
  }

  get version(): string {
    return this.#version
  }

  /** Null when the member is to have no document. `wallMs`: Unix time. */
  text({ publication }: Decision, { engine }: Observation, wallMs: number): string | null {
    if (publication === null) return null
    const { settings, ordinal } = this.#config
    if (!publication.enabled) this.#readySinceMs = null
    else this.#readySinceMs ??= wallMs
    const host = settings.advertisedHost
    const ports: [string, number][] = [
      ...Object.entries(this.#engine.ports),
      ['agent', settings.port],
    ]
    const endpoints = ports
      .filter(([, port]) => port !== 0)
      .map(([name, port]): [string, Endpoint] => [name, { host, port }])
    return JSON.stringify(
      memberDocument({
        cluster: settings.cluster,
        pod: settings.pod,
        namespace: settings.namespace,
        fqdn: host,
        ordinal,
        engine: this.#engine.kind,
        engineVersion: this.#version,
        role: engine.answers ? engine.role : 'unknown',
        generation: (engine.answers ? engine.generation : null) ?? null,
        ...(engine.connection === undefined ? {} : { connection: engine.connection }),
        host,
        ...this.#engine.clientPorts,
        endpoints: Object.fromEntries(endpoints),
        status: publication.status,
        enabled: publication.enabled,
        incarnation: this.#incarnation,
        registeredAtMs: this.#registeredAtMs,
        readySinceMs: this.#readySinceMs,
      }),
    )
  }
}

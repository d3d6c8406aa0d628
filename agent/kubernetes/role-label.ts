import { AgentError, messageOf } from '../errors.ts'
import type { RestClient } from './rest-client.ts'

export interface RoleLabelOptions {
  readonly rest: Pick<RestClient, 'call'>
  readonly namespace: string
  readonly pod: string
  /** The label's key. */
  readonly label: string
  readonly retryMs: number
  readonly nowMs: () => number
  readonly log: (message: string, fields: object) => void
}

/**
 * The role of the own pod as a label of it, for the Services that select by role. A hint beside readiness: when
 * the API is away the label stays what it was, and the member goes on.
 */
export class RoleLabel {
  readonly #options: RoleLabelOptions
  #wanted: string | null = null
  /** Undefined: not known, as at the start, when the pod may have a label of an earlier run. */
  #written: string | null | undefined
  #isWriting = false
  #retryAtMs = Number.NEGATIVE_INFINITY

  constructor(options: RoleLabelOptions) {
    this.#options = options
  }

  /** Null: no label. To be called again and again; a write that failed is tried again by such a call. */
  want(role: string | null): void {
    if (role !== this.#wanted) this.#retryAtMs = Number.NEGATIVE_INFINITY
    this.#wanted = role
    const due = this.#options.nowMs() >= this.#retryAtMs
    if (this.#written !== role && due && !this.#isWriting) void this.#write(role)
  }

  async #write(role: string | null): Promise<void> {
    const { rest, namespace, pod, label, retryMs, nowMs, log } = this.#options
    this.#isWriting = true
    try {
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}`
      const body = { metadata: { labels: { [label]: role } } }
      const { status } = await rest.call('PATCH', path, body)
      if (status !== 200) throw new AgentError('KUBERNETES_REFUSED', `HTTP ${status}`, status)
      this.#written = role
      log('the pod is labelled with its role', { role })
    } catch (error) {
      // Whether it was written is not known.
      this.#written = undefined
      this.#retryAtMs = nowMs() + retryMs
      log('the pod could not be labelled with its role', { reason: messageOf(error) })
    } finally {
      this.#isWriting = false
    }
  }
}

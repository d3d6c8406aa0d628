import * as Type from 'typebox'
import { Value } from 'typebox/value'
import { type CopyInstance, shortUid } from '../../core/cluster/allegrograph-instances.ts'
import type { Ms } from '../../core/observation.ts'
import { messageOf } from '../../errors.ts'
import type { RestClient } from '../../kubernetes/rest-client.ts'

export interface CopyPodsOptions {
  readonly rest: Pick<RestClient, 'call'>
  readonly namespace: string
  /** Between questions about one pod. */
  readonly everyMs: Ms
  readonly nowMs: () => Ms
  readonly log: (message: string, fields: object) => void
}

const Pod = Type.Object({ metadata: Type.Object({ uid: Type.String() }) })

/**
 * Which pods of copies are gone. A pod of one UID that is gone never comes back, so an answer stays true however old
 * it is; no answer, or a refusal, says nothing.
 */
export class CopyPods {
  readonly #options: CopyPodsOptions
  readonly #askedAtMs = new Map<string, Ms>()
  /** By the name of the instance. */
  readonly #gone = new Set<string>()

  constructor(options: CopyPodsOptions) {
    this.#options = options
  }

  /** Asks about the pods of these instances where that is due, beside whoever calls, and says what is known. */
  look(copies: readonly CopyInstance[]): readonly CopyInstance[] {
    const { everyMs, nowMs } = this.#options
    for (const name of this.#gone) if (!copies.some((copy) => copy.name === name)) this.#drop(name)
    for (const copy of copies) {
      const askedAtMs = this.#askedAtMs.get(copy.name) ?? Number.NEGATIVE_INFINITY
      if (this.#gone.has(copy.name) || nowMs() - askedAtMs < everyMs) continue
      this.#askedAtMs.set(copy.name, nowMs())
      void this.#ask(copy)
    }
    return copies.filter(({ name }) => this.#gone.has(name))
  }

  #drop(name: string): void {
    this.#gone.delete(name)
    this.#askedAtMs.delete(name)
  }

  async #ask({ name, pod, podUid }: CopyInstance): Promise<void> {
    const { rest, namespace, log } = this.#options
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}`
    try {
      const { status, body } = await rest.call('GET', path)
      const other =
        status === 200 && Value.Check(Pod, body) && shortUid(body.metadata.uid) !== podUid
      if (status === 404 || other) this.#gone.add(name)
      else if (status !== 200) log('a pod could not be read', { pod, status })
    } catch (error) {
      log('a pod could not be read', { pod, reason: messageOf(error) })
    }
  }
}

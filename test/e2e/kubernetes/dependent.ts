import { waitFor } from '../../support/wait-for.ts'
import type { Namespace, Pod, Release } from './cluster.ts'

/** What is read of a member's document. */
interface MemberDocument {
  readonly status: string
  readonly payload: { readonly ready: boolean; readonly role: string }
}

/** A component of a release that needs the ensemble: its StatefulSet and its pods. */
export class Dependent {
  readonly release: Release
  /** Name of the component, which is the name of its container and of its block of values, too. */
  readonly component: string

  constructor(release: Release, component: string) {
    this.release = release
    this.component = component
  }

  get namespace(): Namespace {
    return this.release.namespace
  }

  /** Of the StatefulSet, and of the cluster in the tree. */
  get name(): string {
    return `${this.release.name}-${this.component}`
  }

  /** Of a pod of the set. */
  ordinalOf(pod: string): number {
    return Number(pod.slice(this.name.length + 1))
  }

  get selector(): string {
    const { name } = this.release
    return `app.kubernetes.io/instance=${name},app.kubernetes.io/component=${this.component}`
  }

  pod(ordinal: number): Promise<Pod> {
    return this.namespace.json<Pod>('pod', `${this.name}-${ordinal}`)
  }

  async pods(): Promise<readonly Pod[]> {
    return (await this.namespace.json<{ items: Pod[] }>('pods', '-l', this.selector)).items
  }

  /** The UIDs of the pods 0 to `count` - 1. */
  async uids(count: number): Promise<string[]> {
    const ordinals = Array.from({ length: count }, (_, ordinal) => ordinal)
    return Promise.all(ordinals.map(async (ordinal) => (await this.pod(ordinal)).metadata.uid))
  }

  /** How often the engine's container of each pod was started again, of pods 0 to `count` - 1. */
  async restarts(count: number): Promise<number[]> {
    const ordinals = Array.from({ length: count }, (_, ordinal) => ordinal)
    return Promise.all(
      ordinals.map(async (ordinal) => {
        const { containerStatuses = [] } = (await this.pod(ordinal)).status
        return containerStatuses.find(({ name }) => name === this.component)?.restartCount ?? 0
      }),
    )
  }

  /** Resolves when so many pods are Ready, all of the newest kind. */
  async ready(count: number, withinSeconds = 300): Promise<void> {
    const set = `statefulset/${this.name}`
    await waitFor(
      `${this.name} has ${count} Ready pods and no other`,
      async () => {
        const { spec, status } = await this.namespace.json<{
          spec: { replicas: number }
          status: Partial<Record<'replicas' | 'readyReplicas' | 'updatedReplicas', number>>
        }>(set)
        const { replicas = 0, readyReplicas = 0, updatedReplicas = 0 } = status
        const seen = [spec.replicas, replicas, readyReplicas, updatedReplicas]
        if (seen.some((number) => number !== count)) throw new Error(`there are ${seen.join('/')}`)
        return true
      },
      withinSeconds * 1_000,
    )
  }

  async scale(count: number): Promise<void> {
    await this.namespace.kubectl('scale', `statefulset/${this.name}`, `--replicas=${count}`)
  }

  /** Runs a command in the engine's container of a pod. */
  exec(ordinal: number, ...command: string[]): Promise<string> {
    const where = [`${this.name}-${ordinal}`, '-c', this.component]
    return this.namespace.kubectl('exec', ...where, '--', ...command)
  }

  /** `GET /status` of the agent of a pod. */
  async status<T>(ordinal: number): Promise<T> {
    const where = [`${this.name}-${ordinal}`, '-c', 'agent']
    const wget = ['wget', '-qO-', 'http://127.0.0.1:8090/status']
    return JSON.parse(await this.namespace.kubectl('exec', ...where, '--', ...wget)) as T
  }

  /** The documents of the members by the names of their pods, as a server has them. */
  async documents(server = 0): Promise<ReadonlyMap<string, MemberDocument>> {
    const root = `/members/v1/services/${this.name}`
    const listed = await this.release.zk(server, 'ls', root)
    const names = listed.replace(/^\[|\]$/g, '').split(', ')
    const entries = names
      .filter((name) => name !== '')
      .map(
        async (name): Promise<[string, MemberDocument]> => [
          name,
          JSON.parse(await this.release.zk(server, 'get', `${root}/${name}`)) as MemberDocument,
        ],
      )
    return new Map(await Promise.all(entries))
  }

  /** Resolves when the members in the tree are exactly the pods 0 to `count` - 1, all of them ready. */
  async published(count: number, withinMs = 60_000): Promise<void> {
    const wanted = Array.from({ length: count }, (_, ordinal) => `${this.name}-${ordinal}`)
    await waitFor(
      `${count} members of ${this.name} are published`,
      async () => {
        const seen = [...(await this.documents())]
          .filter(([, { payload }]) => payload.ready)
          .map(([name]) => name)
          .sort()
        if (seen.join() !== wanted.join()) throw new Error(`there are ${seen.join()}`)
        return true
      },
      withinMs,
    )
  }

  /** The cluster id and the founder that are on record in the tree. */
  async onRecord(): Promise<{ readonly engineClusterId: string }> {
    const path = `/members/v1/clusters/${this.name}/initialized`
    return JSON.parse(await this.release.zk(0, 'get', path)) as { engineClusterId: string }
  }
}

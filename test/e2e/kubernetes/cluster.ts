import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { waitFor } from '../../support/wait-for.ts'
import { valuesOfImage } from './built-image.ts'

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end; a code other than 0 is an answer, not an error. */
export function attempt(command: string, args: readonly string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      [...args],
      { maxBuffer: OUTPUT_BYTES_MAX, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, stdout, stderr: error === null || stderr !== '' ? stderr : error.message })
      },
    )
    child.stdin?.end(input)
  })
}

/** Runs a command that must succeed, and resolves with what it printed, trimmed. */
export async function run(command: string, args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await attempt(command, args, input)
  if (code !== 0) {
    throw new Error(`${command} ${args.join(' ').slice(0, 300)}: ${code}\n${stdout}${stderr}`)
  }
  return stdout.trim()
}

/** The image under test, `REGISTRY/REPOSITORY:TAG`, which every node has or can pull. */
function image(): string {
  const name = process.env['QUORATE_E2E_IMAGE']
  if (name === undefined) throw new Error('QUORATE_E2E_IMAGE is not set: start with npm run e2e')
  return name
}

/** The image as values of the chart. */
export function imageValues(): string[] {
  return valuesOfImage(image(), 'image')
}

export const RESTRICTED_POD = {
  runAsNonRoot: true,
  runAsUser: 65532,
  seccompProfile: { type: 'RuntimeDefault' },
}
export const RESTRICTED_CONTAINER = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}
const ROOT_CONTAINER = { privileged: true, runAsUser: 0 }

/** Where a program runs, as fields of its pod. */
interface Place {
  readonly nodeName?: string
  readonly hostPID?: boolean
  /** Volumes of the pod, and where its container has them. */
  readonly volumes?: readonly object[]
  readonly mounts?: readonly object[]
}

/** One program as a text that Node runs. */
function bundleOf(file: string): string {
  const options = {
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    // Packages of the older kind ask for others as they go. A short name would be one of the minified ones.
    banner: {
      js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
    },
  } as const
  const [{ text } = { text: '' }] = buildSync({
    ...options,
    entryPoints: [file],
    write: false,
  }).outputFiles
  return text
}

/** A namespace of a test file, under pod security `restricted`, so that every pod proves it. */
export class Namespace {
  readonly name: string

  constructor(name: string) {
    this.name = `quorate-e2e-${name}`
  }

  /** Makes it anew: what an earlier run left is removed first. */
  async create(podSecurity: 'restricted' | 'privileged' = 'restricted'): Promise<void> {
    await this.remove()
    await run('kubectl', ['create', 'namespace', this.name])
    const label = `pod-security.kubernetes.io/enforce=${podSecurity}`
    await run('kubectl', ['label', 'namespace', this.name, label])
  }

  async remove(): Promise<void> {
    await run('kubectl', ['delete', 'namespace', this.name, '--ignore-not-found', '--timeout=3m'])
  }

  kubectl(...args: string[]): Promise<string> {
    return run('kubectl', ['-n', this.name, ...args])
  }

  tryKubectl(...args: string[]): Promise<Outcome> {
    return attempt('kubectl', ['-n', this.name, ...args])
  }

  /** By the server, which does not keep the whole manifest in an annotation: a program may be long. */
  apply(manifest: object): Promise<string> {
    const words = ['apply', '--server-side', '--force-conflicts', '-f', '-']
    return run('kubectl', ['-n', this.name, ...words], JSON.stringify(manifest))
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as T
  }

  /**
   * Starts a pod that runs one of the programs in `pods/` under the Node of the image, and resolves
   * when it runs (`Running`) or has ended well (`Succeeded`). With `hostPID` it is root among the
   * processes of its node, which takes a namespace for privileged pods.
   */
  async startProgram(
    pod: string,
    program: string,
    env: readonly object[],
    phase: 'Running' | 'Succeeded',
    place: Place = {},
    withinSeconds = 120,
  ): Promise<void> {
    const code = bundleOf(fileURLToPath(new URL(`pods/${program}.ts`, import.meta.url)))
    // An argument of a command may not be as long as a driver of a database.
    await this.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `${pod}-program` },
      data: { 'program.mjs': code },
    })
    await this.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: pod },
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 5,
        ...(place.nodeName === undefined ? {} : { nodeName: place.nodeName }),
        ...(place.hostPID ? { hostPID: true } : {}),
        ...(place.hostPID ? {} : { securityContext: RESTRICTED_POD }),
        containers: [
          {
            name: 'program',
            image: image(),
            command: ['/nodejs/bin/node', '/program/program.mjs'],
            env,
            securityContext: place.hostPID ? ROOT_CONTAINER : RESTRICTED_CONTAINER,
            volumeMounts: [{ name: 'program', mountPath: '/program' }, ...(place.mounts ?? [])],
          },
        ],
        volumes: [
          { name: 'program', configMap: { name: `${pod}-program` } },
          ...(place.volumes ?? []),
        ],
      },
    })
    const condition = `--for=jsonpath={.status.phase}=${phase}`
    await this.kubectl('wait', condition, `pod/${pod}`, `--timeout=${withinSeconds}s`)
  }

  /** Starts a program as root among the processes of a node, told by variables; this namespace lets it. */
  async startOnNode(
    pod: string,
    program: string,
    nodeName: string,
    variables: Readonly<Record<string, string>>,
    phase: 'Running' | 'Succeeded',
  ): Promise<void> {
    const env = Object.entries(variables).map(([name, value]) => ({ name, value }))
    await this.startProgram(pod, program, env, phase, { nodeName, hostPID: true })
  }

  /** What a person would look at first when a test has failed. */
  async report(): Promise<string> {
    const parts = [
      await this.tryKubectl('get', 'all,pvc,configmap', '-o', 'wide'),
      await this.tryKubectl('get', 'events', '--sort-by=.lastTimestamp'),
    ]
    const { stdout } = await this.tryKubectl('get', 'pods', '-o', 'name')
    for (const pod of stdout.split('\n').filter((line) => line.startsWith('pod/'))) {
      parts.push(await this.tryKubectl('logs', pod, '--all-containers', '--prefix', '--tail=60'))
    }
    return parts.map((part) => `${part.stdout}${part.stderr}`).join('\n')
  }
}

export interface Member {
  readonly id: string
  readonly name: string
  readonly role: string
}

/** What the tests read of `GET /v1/ensemble`. */
export interface EnsembleView {
  readonly clusterId: string
  readonly leader: string | null
  readonly ready: boolean
  readonly members: readonly Member[]
}

export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly spec: { readonly nodeName: string }
  readonly status: {
    readonly podIP?: string
    readonly containerStatuses?: readonly {
      readonly name: string
      readonly restartCount: number
      readonly ready: boolean
    }[]
  }
}

/** One release of the chart. */
export class Release {
  readonly namespace: Namespace
  readonly name: string
  readonly httpPort: number
  /** Helm, which may be another version than the one in PATH. */
  helmCommand: readonly string[] = ['helm']
  readonly #values: readonly string[]

  /** `values` are arguments of helm, beside those that name the image and the objects. */
  constructor(
    namespace: Namespace,
    name = 'quorate',
    values: readonly string[] = SMALL,
    httpPort = 8080,
  ) {
    this.namespace = namespace
    this.name = name
    this.httpPort = httpPort
    this.#values = values
  }

  get set(): string {
    return `statefulset/${this.name}`
  }

  /** helm upgrade --install; resolves when helm has, which does not wait for the pods. */
  install(...more: string[]): Promise<string> {
    const names = ['--set', `fullnameOverride=${this.name}`]
    const values = [...imageValues(), ...this.#values, ...names, ...more]
    return this.helm('upgrade', '--install', this.name, CHART, ...values, '--timeout=5m')
  }

  helm(...args: string[]): Promise<string> {
    const [command = '', ...words] = this.helmCommand
    return run(command, [...words, '-n', this.namespace.name, ...args])
  }

  /** Resolves when the StatefulSet has as many Ready pods of the newest kind as it asks for. */
  async rolledOut(withinSeconds = 240): Promise<void> {
    await this.namespace.kubectl('rollout', 'status', this.set, `--timeout=${withinSeconds}s`)
  }

  /** Runs a command in the server's container of a pod. */
  exec(ordinal: number, ...command: string[]): Promise<string> {
    return this.namespace.kubectl('exec', `${this.name}-${ordinal}`, '--', ...command)
  }

  async view(ordinal = 0): Promise<EnsembleView> {
    const url = `http://127.0.0.1:${this.httpPort}/v1/ensemble`
    return JSON.parse(await this.exec(ordinal, 'wget', '-qO-', url)) as EnsembleView
  }

  /** The names of the members, in order, with the role of those that are not voters. */
  async membership(ordinal = 0): Promise<string[]> {
    const { members } = await this.view(ordinal)
    return members
      .map(({ name, role }) => (role === 'voter' ? name : `${name} (${role})`))
      .sort((one, other) => one.localeCompare(other, 'en', { numeric: true }))
  }

  names(count: number): string[] {
    return Array.from({ length: count }, (_, ordinal) => `${this.name}-${ordinal}`)
  }

  /** Resolves when the members are exactly the pods 0 to count - 1, all of them voters. */
  async hasMembers(count: number, ordinal = 0, withinMs = 120_000): Promise<void> {
    const wanted = this.names(count).join()
    let seen = ''
    await waitFor(
      `${count} members`,
      async () => {
        seen = (await this.membership(ordinal)).join()
        if (seen !== wanted) throw new Error(`the members are ${seen}`)
        return true
      },
      withinMs,
    )
  }

  async pods(): Promise<readonly Pod[]> {
    const selector = `app.kubernetes.io/instance=${this.name},app.kubernetes.io/component=server`
    return (await this.namespace.json<{ items: Pod[] }>('pods', '-l', selector)).items
  }

  async pod(ordinal: number): Promise<Pod> {
    return await this.namespace.json<Pod>('pod', `${this.name}-${ordinal}`)
  }

  async restarts(ordinal: number, container = 'server'): Promise<number> {
    const { status } = await this.pod(ordinal)
    return status.containerStatuses?.find(({ name }) => name === container)?.restartCount ?? 0
  }

  /** Resolves when a pod of another UID has taken the name and is Ready. */
  async replaced(ordinal: number, uid: string, withinMs = 180_000): Promise<void> {
    await waitFor(
      `${this.name}-${ordinal} is a new pod and Ready`,
      async () => {
        const pod = await this.pod(ordinal)
        const containers = pod.status.containerStatuses ?? []
        return pod.metadata.uid !== uid && containers.length > 0 && containers.every((c) => c.ready)
      },
      withinMs,
    )
  }

  /** Deletes a pod without waiting; what to do about it is the cluster's. */
  async deletePod(ordinal: number, ...how: string[]): Promise<void> {
    await this.namespace.kubectl('delete', 'pod', `${this.name}-${ordinal}`, '--wait=false', ...how)
  }

  /** The ids of the members, in the order of their names. */
  async memberIds(ordinal = 0): Promise<string[]> {
    const { members } = await this.view(ordinal)
    return members.map(({ id, name }) => `${name} ${id}`).sort()
  }

  /** The ordinal of the leader. */
  async leader(): Promise<number> {
    return await waitFor('a leader', async () => {
      const { leader } = await this.view()
      return leader === null ? null : { ordinal: Number(leader.slice(this.name.length + 1)) }
    }).then(({ ordinal }) => ordinal)
  }

  /** Deletes the StatefulSet and resolves when its pods are gone. */
  async deleteSet(): Promise<void> {
    await this.namespace.kubectl('delete', this.set, '--timeout=6m')
    await waitFor('the pods are gone', async () => (await this.pods()).length === 0, 360_000)
  }

  async deleteClaims(): Promise<void> {
    const selector = `app.kubernetes.io/instance=${this.name},app.kubernetes.io/component=server`
    await this.namespace.kubectl('delete', 'pvc', '-l', selector, '--timeout=3m')
  }

  zk(ordinal: number, ...words: string[]): Promise<string> {
    return this.exec(ordinal, 'zkCli.sh', ...words)
  }
}

export const CHART = 'charts/quorate'
/** Values for small clusters: the chart's own, with little memory and small volumes. */
const SMALL = ['--values', 'charts/quorate/ci/default-values.yaml']

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../conformance/clients/command.ts'
import { logback } from '../conformance/clients/zk-cli.ts'
import { compile, javaTool, SMALL_JVM } from '../support/java.ts'
import { reservePorts } from '../support/ports.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { goTool, kazooTool, prometheusTool, titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'
import { MongodbPod } from '../unit/agent/mongodb/pods.ts'
import { Servers } from '../unit/agent/mongodb/servers.ts'
import { Prometheus } from './kubernetes/prometheus.ts'

const CLUSTER = 'q'
const CHANGED_WITHIN_MS = 30_000
const BUILT_WITHIN_MS = 180_000

const example = (name: string) =>
  fileURLToPath(new URL(`../../examples/members/${name}`, import.meta.url))

/** The real agents of three members, which are doubles of mongod, on a real server. */
describe('who reads the member documents', () => {
  const kubernetes = new FakeKubernetes(3)
  let tree: ServerEnsemble
  let servers: Servers
  let pods: MongodbPod[] = []
  const ports: number[] = []
  const readers: ChildProcess[] = []

  beforeAll(async () => {
    tree = await quorateEnsemble({ servers: 1, tickMs: 1_000 })
    await Promise.all([tree.start(), kubernetes.listen()])
    servers = await Servers.create(3)
    const [treePort = 0] = tree.clientPorts
    ports.push(...(await reservePorts(3)))
    const kubernetesUrl = kubernetes.url
    pods = ports.map(
      (agentPort, ordinal) =>
        new MongodbPod({ servers, ordinal, agentPort, treePort, kubernetesUrl }),
    )
    await Promise.all(pods.map((pod) => pod.start()))
    await Promise.all(pods.map((pod) => pod.ready()))
  }, 60_000)
  afterEach(() => {
    for (const reader of readers.splice(0)) reader.kill('SIGKILL')
  })
  afterAll(async () => {
    await Promise.all(pods.map((pod) => pod.end()))
    await servers.close()
    kubernetes.close()
    await tree.stop()
  }, 60_000)

  const hosts = () => `127.0.0.1:${tree.clientPorts[0]}`
  const placeOf = (name: string) => servers.place(Number(name.slice(CLUSTER.length + 1)))

  /** Starts a reader; resolves what waits for the next line of its output that is as wanted. */
  function follow(command: string, args: readonly string[]) {
    const child = spawn(command, [...args, hosts(), CLUSTER], { stdio: ['ignore', 'pipe', 'pipe'] })
    readers.push(child)
    const lines: string[] = []
    let errors = ''
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    return async (isWanted: (roles: ReadonlyMap<string, string>) => boolean) => {
      await waitFor(
        'the reader prints the members',
        () => {
          if (child.exitCode !== null) throw new Error(`it has ended: ${errors}`)
          const members = (lines.at(-1) ?? '').split(', ').map((each) => each.split(' '))
          // Whoever it names, it names where it is.
          for (const [name = '', , place] of members) {
            if (name !== '' && place !== placeOf(name)) throw new Error(lines.at(-1))
          }
          if (isWanted(new Map(members.map(([name = '', role = '']) => [name, role])))) return true
          throw new Error(lines.join('\n'))
        },
        CHANGED_WITHIN_MS,
      )
    }
  }

  const primaries = (roles: ReadonlyMap<string, string>) =>
    [...roles].filter(([, role]) => role === 'primary').map(([name]) => name)

  const isWhole = (roles: ReadonlyMap<string, string>) =>
    roles.size === 3 && primaries(roles).length === 1

  async function knowsThreeVotes(ordinal: number): Promise<void> {
    const client = servers.client(ordinal)
    await waitFor(`q-${ordinal} knows that all three vote`, async () => {
      const { config } = await client.asAgent({ replSetGetConfig: 1 })
      const members: readonly { readonly votes: number }[] = config.members
      return members.filter(({ votes }) => votes > 0).length === 3
    })
  }

  /** It sees all three, then that the primary goes and another one leads, then that it is back. */
  async function sees(next: ReturnType<typeof follow>): Promise<void> {
    await next(isWhole)
    const leader = await servers.primary()
    // Only those that vote can follow it, and only when each has heard of the other's vote: a primary that
    // is killed before it has told them leaves a set of two, of which one is gone.
    await Promise.all(pods.map(({ ordinal }) => knowsThreeVotes(ordinal)))
    const pod = pods[leader]
    if (pod === undefined) throw new Error(`there is no pod ${leader}`)
    await pod.end()
    await next(
      (roles) =>
        roles.size === 2 && primaries(roles).length === 1 && !roles.has(`${CLUSTER}-${leader}`),
    )
    await pod.start()
    await next(isWhole)
  }

  const python = kazooTool()
  it.skipIf(python.found === null)(
    titleOf('kazoo: examples/members/members.py', python),
    () => sees(follow(python.found?.python ?? '', [example('members.py')])),
    CHANGED_WITHIN_MS * 4,
  )

  const go = goTool()
  it.skipIf(go.found === null)(
    titleOf('go-zookeeper/zk: examples/members/go', go),
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'quorate-members-'))
      try {
        const program = join(directory, 'members')
        const options = { withinMs: BUILT_WITHIN_MS, cwd: example('go') }
        const built = await run(go.found?.go ?? '', ['build', '-o', program, '.'], options)
        expect(built).toMatchObject({ code: 0 })
        await sees(follow(program, []))
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    },
    BUILT_WITHIN_MS + CHANGED_WITHIN_MS * 4,
  )

  const java = javaTool('java-clients')
  it.skipIf(java.found === null)(
    titleOf("Curator's ServiceDiscovery: examples/members/java", java),
    async () => {
      if (java.found === null) throw new Error(java.reason)
      const classPath = compile(java.found, '../examples/members/java')
      const options = [...SMALL_JVM, `-Dlogback.configurationFile=${logback}`]
      await sees(follow(java.found.java, [...options, '-cp', classPath, 'Members']))
    },
    CHANGED_WITHIN_MS * 5,
  )

  const prometheus = prometheusTool()
  it.skipIf(prometheus.found === null)(
    titleOf("Prometheus' serverset discovery", prometheus),
    async () => {
      const config = {
        global: { scrape_interval: '1s' },
        scrape_configs: [
          {
            job_name: 'members',
            serverset_sd_configs: [
              { servers: [hosts()], paths: [`/members/v1/services/${CLUSTER}`] },
            ],
            relabel_configs: [
              {
                source_labels: [
                  '__meta_serverset_endpoint_host_agent',
                  '__meta_serverset_endpoint_port_agent',
                ],
                separator: ':',
                target_label: '__address__',
              },
            ],
          },
        ],
      }
      const running = new Prometheus(prometheus.found?.prometheus ?? '', 'env', config, {})
      const up = async (expected: readonly number[]) => {
        const wanted = expected.map((port) => `http://127.0.0.1:${port}/metrics`).sort()
        await waitFor(
          'the targets are the members',
          async () => {
            const targets = await running.targets('members')
            const seen = targets.filter(({ health }) => health === 'up')
            expect(seen.map(({ scrapeUrl }) => scrapeUrl).sort()).toEqual(wanted)
            expect(targets).toHaveLength(wanted.length)
            return true
          },
          CHANGED_WITHIN_MS,
        )
      }
      try {
        await up(ports)
        const targets = await running.targets('members')
        expect(targets.map(({ discoveredLabels }) => discoveredLabels)).toContainEqual(
          expect.objectContaining({
            __meta_serverset_status: 'ALIVE',
            __meta_serverset_shard: '1',
            __meta_serverset_path: `/members/v1/services/${CLUSTER}/${CLUSTER}-1`,
          }),
        )
        await pods[2]?.end()
        await up(ports.slice(0, 2))
        await pods[2]?.start()
        await up(ports)
      } finally {
        await running.stop()
      }
    },
    CHANGED_WITHIN_MS * 4,
  )
})

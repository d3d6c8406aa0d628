import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CertificateAuthority } from '../../support/certificates.ts'
import { waitFor } from '../../support/wait-for.ts'
import type { AcknowledgedWrites } from './acknowledged-writes.ts'
import { Namespace, Release, run } from './cluster.ts'
import { Dependent } from './dependent.ts'

/** From the loss of a leader to the next acknowledged write. */
const FAILOVER_MS_MAX = 30_000
const OUTAGE_MS = 60_000
/** From the first answer of the ensemble to all members on record there, ready. */
const PUBLISHED_WITHIN_MS = 10_000
const CERTIFICATES = 'story-certificates'

/** What a story has to know of an engine, all of it asked of the engine and not of the agents. */
export interface Subject {
  readonly load: AcknowledgedWrites
  /** The ordinals of those that the engine has as members in service, in order. */
  members(): Promise<number[]>
  /** The ordinal of the one whose loss costs most: leader, primary, controller. */
  leader(): Promise<number>
  /** The ordinal of one that the others do without, also while there is no ensemble. */
  spare(): Promise<number>
  /** What the engine itself calls its cluster. */
  clusterId(): Promise<string>
  /** The id that is on record in the tree, of an engine that keeps its own record there. */
  onRecord?(): Promise<string>
  /** Is done before there are fewer members, where the engine asks for it. */
  beforeFewer?(from: number, to: number): Promise<void>
}

export interface Story {
  /** Name of the component. */
  readonly component: string
  /** Of the namespace, and of the release. */
  readonly name: string
  /** Arguments of helm: images that the nodes have, and sizes. */
  readonly values: readonly string[]
  /** The ensemble's plaintext client port is closed, and the engine takes nothing but TLS. */
  readonly tls?: boolean
  /** Components that serve beside it, and have certificates where it has. */
  readonly beside?: readonly string[]
  /** Longest time without a write while a pod is stopped by its preStop and comes back. */
  readonly plannedGapMsMax: number
  readonly podSecurity?: 'restricted' | 'privileged'
  subject(dependent: Dependent, tls: string | null): Subject
  /** Tests of the engine's own, of the set as the story has left it: three members, and writers. */
  more?(place: StoryPlace): void
}

export interface StoryPlace {
  readonly dependent: Dependent
  readonly subject: Subject
  /** A namespace for privileged pods. */
  readonly host: Namespace
}

/**
 * The life of a dependent on a cluster, from nothing to the second install on its volumes, in the
 * order of the tests: every one finds what the one before has left. Writers write all the time.
 */
export function dependentStory(story: Story): void {
  const { component, name, plannedGapMsMax } = story
  describe.sequential(`${name}: from nothing and on`, { timeout: 900_000 }, () => {
    const namespace = new Namespace(name)
    const host = new Namespace(`${name}-host`)
    const release = new Release(namespace, name, story.values)
    const dependent = new Dependent(release, component)
    const subject = story.subject(dependent, story.tls ? CERTIFICATES : null)
    const { load } = subject
    const cordoned = new Set<string>()
    const authority = story.tls ? new CertificateAuthority() : null
    let clusterId = ''

    const serving = [component, ...(story.beside ?? [])]
    const install = () => release.install(...(authority === null ? [] : secureValues(serving)))

    beforeAll(async () => {
      await namespace.create(story.podSecurity)
      await host.create('privileged')
      if (authority !== null) await issue(release, serving, authority)
    }, 300_000)
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') {
        console.log(await namespace.report())
        console.log(`writers: ${await load.said()}`)
      }
      for (const node of cordoned) await run('kubectl', ['uncordon', node])
      cordoned.clear()
    }, 120_000)
    afterAll(async () => {
      await namespace.remove()
      await host.remove()
      authority?.remove()
    }, 300_000)

    /** Nothing acknowledged before or during `change` is missing after it; resolves with the longest gap. */
    async function writesThrough(what: string, change: () => Promise<void>): Promise<number> {
      const from = (await load.acknowledged()).length
      await change()
      await load.goesOn()
      const gapMs = await load.longestGapMs(from)
      console.log(`${name}, ${what}: longest time without an acknowledged write ${gapMs} ms`)
      expect(await load.lost()).toEqual([])
      return gapMs
    }

    const onRecord = async () =>
      (await subject.onRecord?.()) ?? (await dependent.onRecord()).engineClusterId

    const hasMembers = (count: number, withinMs = 120_000) =>
      waitFor(
        `the engine has ${count} members`,
        async () => {
          const seen = (await subject.members()).join()
          if (seen !== [...Array(count).keys()].join()) throw new Error(`it has ${seen}`)
          return true
        },
        withinMs,
      )

    it('forms one cluster when all pods start at once, from nothing', async () => {
      const startedAt = performance.now()
      await install()
      await dependent.ready(3, 600)
      console.log(`${name}: formed in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
      await hasMembers(3)
      clusterId = await subject.clusterId()
      expect(await onRecord()).toBe(clusterId)
      await dependent.published(3)
      expect(await dependent.restarts(3)).toEqual([0, 0, 0])
      await load.start()
    })

    it('has a new leader within 30 s when the leader is killed under writes', async () => {
      const leader = await subject.leader()
      const uids = await dependent.uids(3)
      const gapMs = await writesThrough(`kill -9 of the leader ${leader}`, async () => {
        const { nodeName } = (await dependent.pod(leader)).spec
        const env = { POD: `${dependent.name}-${leader}`, IN: namespace.name }
        await host.startOnNode('kill', 'kill', nodeName, env, 'Succeeded')
        await waitFor(
          'its container is started again',
          async () => (await dependent.restarts(3))[leader] === 1,
          120_000,
        )
        await dependent.ready(3)
      })
      expect(gapMs).toBeLessThan(FAILOVER_MS_MAX)
      await hasMembers(3)
      expect(await dependent.uids(3)).toEqual(uids)
      expect(await subject.clusterId()).toBe(clusterId)
    })

    it('does not restart the engine when its agent is killed for a minute whenever it runs', async () => {
      const restarts = await dependent.restarts(3)
      const uids = await dependent.uids(3)
      await writesThrough('kill -9 of an agent for a minute', async () => {
        const { nodeName } = (await dependent.pod(1)).spec
        const env = { POD: `${dependent.name}-1`, IN: namespace.name, SECONDS: '60' }
        await host.startOnNode('kill-agent', 'kill-agent', nodeName, env, 'Succeeded')
        await dependent.ready(3)
      })
      expect(await dependent.restarts(3)).toEqual(restarts)
      expect(await dependent.uids(3)).toEqual(uids)
    })

    it('goes from three to five and back by the number alone', async () => {
      const more = await writesThrough('3 to 5', async () => {
        await dependent.scale(5)
        await dependent.ready(5)
        await hasMembers(5)
        await dependent.published(5)
      })
      const fewer = await writesThrough('5 to 3', async () => {
        await subject.beforeFewer?.(5, 3)
        await dependent.scale(3)
        await dependent.ready(3)
        await hasMembers(3)
        await dependent.published(3)
      })
      expect(Math.max(more, fewer)).toBeLessThan(plannedGapMsMax)
      expect(await subject.clusterId()).toBe(clusterId)
    })

    it('lets every node be drained in turn', async () => {
      const gapMs = await writesThrough('every node drained', async () => {
        for (const node of await nodes(dependent)) {
          cordoned.add(node)
          const only = `--pod-selector=${dependent.selector}`
          const flags = ['--ignore-daemonsets', '--delete-emptydir-data', only, '--timeout=300s']
          await run('kubectl', ['drain', node, ...flags])
          await run('kubectl', ['uncordon', node])
          cordoned.delete(node)
          await dependent.ready(3)
          await hasMembers(3)
        }
      })
      expect(gapMs).toBeLessThan(plannedGapMsMax)
      expect(await subject.clusterId()).toBe(clusterId)
    })

    it('serves on without the ensemble for a minute, and takes back a pod deleted meanwhile', async () => {
      const spare = await subject.spare()
      const others = [0, 1, 2].filter((ordinal) => ordinal !== spare)
      const restarts = await dependent.restarts(3)
      const uids = await dependent.uids(3)
      await writesThrough('no ensemble for 60 s', async () => {
        const from = (await load.acknowledged()).length
        await namespace.kubectl('scale', release.set, '--replicas=0')
        await waitFor('no server runs', async () => (await release.pods()).length === 0, 120_000)
        const goneAt = performance.now()
        await namespace.kubectl('delete', 'pod', `${dependent.name}-${spare}`, '--wait=false')
        while (performance.now() - goneAt < OUTAGE_MS) await load.goesOn()
        const gapMs = await load.longestGapMs(from)
        console.log(`${name}, while there is no ensemble: longest gap ${gapMs} ms`)
        expect(gapMs).toBeLessThan(plannedGapMsMax)
        await namespace.kubectl('scale', release.set, '--replicas=3')
        await waitFor('the ensemble answers', () => release.zk(0, 'ls', '/'), 120_000)
        await waitFor(
          'those that went on are published',
          async () => {
            const documents = await dependent.documents()
            return others.every((ordinal) => {
              return documents.get(`${dependent.name}-${ordinal}`)?.payload.ready
            })
          },
          PUBLISHED_WITHIN_MS,
        )
        await dependent.ready(3)
        await dependent.published(3)
        await release.rolledOut()
      })
      await hasMembers(3)
      const [restartsAfter, uidsAfter] = [await dependent.restarts(3), await dependent.uids(3)]
      for (const ordinal of others) {
        expect(restartsAfter[ordinal]).toBe(restarts[ordinal])
        expect(uidsAfter[ordinal]).toBe(uids[ordinal])
      }
      expect(restartsAfter[spare]).toBe(0)
      expect(uidsAfter[spare]).not.toBe(uids[spare])
      expect(await subject.clusterId()).toBe(clusterId)
    })

    it('comes back when all pods are deleted at once', async () => {
      const before = await dependent.uids(3)
      await writesThrough('all pods deleted', async () => {
        const now = ['--grace-period=0', '--force', '--wait=false']
        await namespace.kubectl('delete', 'pod', '-l', dependent.selector, ...now)
        await waitFor('there are others', async () => {
          const uids = await dependent.uids(3)
          return uids.every((uid) => !before.includes(uid))
        })
        await dependent.ready(3)
      })
      await hasMembers(3)
      expect(await subject.clusterId()).toBe(clusterId)
      await dependent.published(3)
    })

    story.more?.({ dependent, subject, host })

    it('finds its volumes again when it is uninstalled and installed', async () => {
      await writesThrough('uninstalled and installed', async () => {
        await release.helm('uninstall', release.name, '--wait', '--timeout=6m')
        await waitFor('pods are gone', async () => (await dependent.pods()).length === 0, 360_000)
        await install()
        // Writers need whoever serves beside it, too.
        const all = serving.map((each) => new Dependent(release, each))
        await Promise.all(all.map((each) => each.ready(3, 600)))
      })
      await hasMembers(3)
      expect(await subject.clusterId()).toBe(clusterId)
      expect(await onRecord()).toBe(clusterId)
      await dependent.published(3)
    })
  })
}

/** Nodes that have pods of the set. */
async function nodes(dependent: Dependent): Promise<string[]> {
  return [...new Set((await dependent.pods()).map(({ spec }) => spec.nodeName))].sort()
}

const secureValues = (components: readonly string[]) => [
  ...['--set', `server.tls.existingSecret=${CERTIFICATES}`, '--set', 'server.tls.peers=require'],
  ...['--set', 'server.tls.plainClients=false'],
  ...components.flatMap((component) => {
    const key = component.replace(/-./g, ([, letter = '']) => letter.toUpperCase())
    return ['--set', `${key}.tls.existingSecret=${CERTIFICATES}`]
  }),
]

/** One certificate for all that serve in the namespace, which is good for clients, too. */
async function issue(
  { namespace, name }: Release,
  components: readonly string[],
  authority: CertificateAuthority,
): Promise<void> {
  const domain = `${namespace.name}.svc.cluster.local`
  const sets = [name, ...components.map((component) => `${name}-${component}`)]
  const pods = sets.map((set) => `*.${set}-hs.${domain}`)
  const names = [...pods, `*.${domain}`, 'localhost'].map((host) => `DNS:${host}`).join()
  const { certificate, key } = authority.issue({ subject: '/CN=story', names })
  const files = { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': authority.certificate }
  const from = Object.entries(files).map(([file, path]) => `--from-file=${file}=${path}`)
  await namespace.kubectl('create', 'secret', 'generic', CERTIFICATES, ...from)
}

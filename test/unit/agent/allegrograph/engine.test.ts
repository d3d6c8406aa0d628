import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { loadAgentConfig, redactedSettings } from '../../../../agent/config.ts'
import type { Coordination } from '../../../../agent/coordination/coordination.ts'
import type { CopyView } from '../../../../agent/core/cluster/allegrograph-copy-policy.ts'
import type { ControllingView } from '../../../../agent/core/cluster/allegrograph-plan.ts'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { allegrographEngine } from '../../../../agent/engines/allegrograph/allegrograph-kind.ts'
import { ControllingEngine } from '../../../../agent/engines/allegrograph/controlling-engine.ts'
import { CopyEngine } from '../../../../agent/engines/allegrograph/copy-engine.ts'
import { CopyPods } from '../../../../agent/engines/allegrograph/copy-pods.ts'
import { Pulse } from '../../../../agent/engines/allegrograph/pulse.ts'
import { type EngineCall, type Fence, UNFENCED } from '../../../../agent/engines/engine.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { AgentError } from '../../../../agent/errors.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { dataReport, facts, initialized, intentOf } from '../cluster-observations.ts'
import { observation } from '../observations.ts'
import { Servers, type StatusForm } from './servers.ts'

const SET = 'g-copies'
const UIDS = ['0a1b2c3d-0000', '1b2c3d4e-0000']
const OWN = 'g-copies-0-0a1b2c3d-1'
const forms: readonly StatusForm[] = ['json', 'table']

let servers: Servers
afterEach(async () => await servers.stop())

const calls = (index: number) => servers.double(index).requests.filter((each) => each[0] === 'P')
const FENCED: Fence = {
  token: '1',
  check: () => {
    throw new AgentError('TREE_FENCED', 'the lock may be lost')
  },
}

/** The two kinds of engines beside doubles, with times that tests can wait for. */
class Engines {
  nowMs = 0
  readonly disks: MemberDisk[] = []
  gone: string[] = []
  readonly warnings: string[] = []

  controlling(): ControllingEngine {
    const disk = this.#disk(0)
    return new ControllingEngine({
      disk,
      local: servers.client(0),
      repository: servers.repository,
      repositoryDirectory: join(servers.data(0), 'rootcatalog', servers.repository),
      place: servers.place(0),
      copiesSet: SET,
      pods: new CopyPods({
        rest: {
          call: async (_method, path) => {
            const pod = path.split('/').at(-1) ?? ''
            if (this.gone.includes(pod)) return { status: 404, body: null }
            const ordinal = Number(pod.at(-1))
            return { status: 200, body: { metadata: { uid: UIDS[ordinal] } } }
          },
        },
        namespace: 'n',
        everyMs: 1,
        nowMs: () => performance.now(),
        log: (message) => this.warnings.push(message),
      }),
      pulse: new Pulse(30_000, () => this.nowMs),
      clientPorts: { port: servers.place(0).port, sslPort: null },
    })
  }

  /** The copy of that ordinal, beside the server after the controlling one. */
  copy(ordinal: number): CopyEngine {
    const index = ordinal + 1
    return new CopyEngine({
      set: SET,
      pod: `${SET}-${ordinal}`,
      podUid: UIDS[ordinal] ?? '',
      disk: this.#disk(index),
      local: servers.client(index),
      controlling: servers.client(0),
      place: servers.place(index),
      pulse: new Pulse(30_000, () => this.nowMs),
      clientPorts: { port: servers.place(index).port, sslPort: null },
      patienceMs: 50,
      stuckMs: 10_000,
      unlistedMs: 5_000,
      nowMs: () => this.nowMs,
      warn: (message) => this.warnings.push(message),
    })
  }

  #disk(index: number): MemberDisk {
    const directory = join(servers.root, `disk-${index}`)
    mkdirSync(directory, { recursive: true })
    this.disks[index] ??= new MemberDisk([directory])
    return this.disks[index]
  }
}

function callOf<View extends ControllingView | CopyView>(
  engine: View,
  cluster: Partial<ClusterFacts>,
  fence: Fence = UNFENCED,
): EngineCall<View> {
  return {
    fence,
    observation: observation({ cluster: facts(cluster), engine }) as Observation<View>,
  }
}

async function bootstrap(engine: ControllingEngine) {
  await engine.bootstrap(callOf(await engine.observe(), { intent: intentOf('g-0') }))
}

async function grow(engine: CopyEngine, cluster: Partial<ClusterFacts> = {}, fence?: Fence) {
  const all = { initialized, ...cluster }
  await engine.perform('growCluster', {}, callOf(await engine.observe(), all, fence))
}

async function permit(engine: CopyEngine) {
  await engine.prepare(
    'join',
    observation({ cluster: facts({ initialized }) }) as Observation<CopyView>,
  )
  expect(engine.permitLine('join')).toBe('join')
}

describe.each(forms)('the controlling instance (%s)', (form) => {
  it('creates the cluster once, and finds it again on its volume', async () => {
    servers = await Servers.start(form)
    const engines = new Engines()
    const engine = engines.controlling()
    expect(engine.discover()).toEqual({ kind: 'empty', founding: null })
    expect(await engine.observe()).toMatchObject({ answers: true, ready: false, clusterId: '' })
    await bootstrap(engine)
    await bootstrap(engine)
    expect(calls(0)).toEqual([
      `PUT /repositories/${servers.repository}/repl/createCluster controlling`,
    ])
    const clusterId = `${servers.repository}-n1`
    expect(await engine.observe()).toMatchObject({ ready: true, clusterId, copies: [] })
    // Another agent on the same volume, also one that ended before it could say anything.
    expect(engines.controlling().discover()).toMatchObject({ kind: 'member', clusterId })
    await bootstrap(engines.controlling())
    expect(calls(0)).toHaveLength(1)
  })

  it('creates nothing without its lock, and keeps the id it chose', async () => {
    servers = await Servers.start(form)
    const engine = new Engines().controlling()
    const call = callOf(await engine.observe(), { intent: intentOf('g-0') }, FENCED)
    await expect(engine.bootstrap(call)).rejects.toMatchObject({ code: 'TREE_FENCED' })
    expect(calls(0)).toEqual([])
    const later = callOf(await engine.observe(), { intent: { ...intentOf('g-0'), nonce: 'n2' } })
    await engine.bootstrap(later)
    expect((await engine.observe()).clusterId).toBe(`${servers.repository}-n1`)
  })

  it('creates nothing over a repository that is no instance', async () => {
    servers = await Servers.start(form)
    mkdirSync(join(servers.data(0), 'rootcatalog', servers.repository))
    const engine = new Engines().controlling()
    await expect(bootstrap(engine)).rejects.toThrow(/is there and is no instance of a cluster/)
    expect(calls(0)).toEqual([])
  })

  it('takes up a cluster that was created without an agent', async () => {
    servers = await Servers.start(form)
    await servers.client(0).createCluster('controlling', servers.place(0))
    const engines = new Engines()
    const { clusterId } = await engines.controlling().observe()
    expect(clusterId).toMatch(new RegExp(`^${servers.repository}-[0-9a-f]{16}$`))
    expect(await engines.controlling().observe()).toMatchObject({ clusterId })
  })

  it('says which pods are gone, and removes what is left of them', async () => {
    servers = await Servers.start(form)
    const engines = new Engines()
    const engine = engines.controlling()
    await bootstrap(engine)
    await servers.client(0).growCluster(OWN, servers.place(1))
    const earlier = 'g-copies-0-99999999-4'
    await servers.client(0).growCluster(earlier, servers.place(1))
    const gone = async () => (await engine.observe()).gone.map(({ name }) => name)
    await waitFor('the pod has another UID', async () => (await gone()).includes(earlier))
    expect(await gone()).toEqual([earlier])
    engines.gone = ['g-copies-0']
    await waitFor('both are gone', async () => (await gone()).length === 2)
    const perform = async (fence: Fence) =>
      engine.perform('removeInstance', { instance: OWN }, callOf(await engine.observe(), {}, fence))
    await expect(perform(FENCED)).rejects.toMatchObject({ code: 'TREE_FENCED' })
    await perform(UNFENCED)
    await perform(FENCED)
    expect((await engine.observe()).copies.map(({ name }) => name)).toEqual([earlier])
  })

  it('calls nobody gone on a refusal of the Kubernetes API', async () => {
    servers = await Servers.start(form)
    let asked = 0
    const pods = new CopyPods({
      rest: {
        call: async () => {
          asked += 1
          if (asked % 2 === 0) throw new Error('it does not answer')
          return { status: 403, body: null }
        },
      },
      namespace: 'n',
      everyMs: 0,
      nowMs: () => 0,
      log: () => {},
    })
    const copies = [{ name: OWN, pod: 'g-copies-0', podUid: '0a1b2c3d', start: 1 }]
    await waitFor('it has asked', () => {
      expect(pods.look(copies)).toEqual([])
      return asked > 4
    })
  })
})

describe.each(forms)('a copy (%s)', (form) => {
  async function started(growMs = 100, count = 2) {
    servers = await Servers.start(form, growMs, count)
    const engines = new Engines()
    await bootstrap(engines.controlling())
    const engine = engines.copy(0)
    await permit(engine)
    return { engines, engine }
  }

  it('joins by one request, under a name that no other process has', async () => {
    const { engine } = await started()
    expect(await engine.observe()).toMatchObject({ answers: true, ready: false, instance: OWN })
    await grow(engine)
    await grow(engine)
    await waitFor('it is an instance', async () => (await engine.observe()).ready)
    expect(await engine.observe()).toMatchObject({ clusterId: 'c1', role: 'copy', reason: '' })
    expect(calls(0).filter((each) => each.includes('growCluster'))).toEqual([
      `PUT /repositories/${servers.repository}/repl/growCluster ${OWN}`,
    ])
  })

  it('goes on with its loop while the data is copied', async () => {
    const { engine } = await started(1_000)
    await grow(engine)
    expect(await engine.observe()).toMatchObject({ ready: false, growing: true, spent: false })
    expect((await engine.observe()).copies?.map(({ name }) => name)).toEqual([OWN])
    await waitFor('it is an instance', async () => (await engine.observe()).ready)
    // Its answer comes when the others know as well.
    await waitFor('the request is over', async () => !(await engine.observe()).growing)
  })

  it('joins neither without its lock nor beside another', async () => {
    const { engines, engine } = await started(500, 3)
    await expect(grow(engine, {}, FENCED)).rejects.toMatchObject({ code: 'TREE_FENCED' })
    await grow(engine)
    const other = engines.copy(1)
    await permit(other)
    await expect(grow(other)).rejects.toThrow(`${OWN} joins just now`)
    await waitFor('it is an instance', async () => (await engine.observe()).ready)
    await grow(other, { reports: { 'g-copies-0': dataReport() } })
    await waitFor('the other one is', async () => (await other.observe()).ready)
  })

  it('is taken up by the next agent, which asks for nothing that is on its way', async () => {
    const { engines, engine } = await started(600)
    await grow(engine)
    const next = engines.copy(0)
    expect(await next.observe()).toMatchObject({ instance: OWN, ready: false, growing: false })
    await grow(next)
    await waitFor('it is an instance', async () => (await next.observe()).ready)
    expect(calls(0).filter((each) => each.includes('growCluster'))).toHaveLength(1)
  })

  it('begins each process with an empty disk and the next name', async () => {
    const { engines, engine } = await started()
    const directory = join(servers.root, 'disk-1')
    writeFileSync(join(directory, 'leftover'), 'of the process before')
    await permit(engine)
    expect(existsSync(join(directory, 'leftover'))).toBe(false)
    expect((await engine.observe()).instance).toBe('g-copies-0-0a1b2c3d-2')
    expect(engines.copy(0).discover()).toEqual({ kind: 'empty', founding: null })
  })

  it('serves while the controlling instance is away', async () => {
    const { engine } = await started()
    await grow(engine)
    await waitFor('it is an instance', async () => (await engine.observe()).ready)
    servers.double(0).mute = true
    expect(await engine.observe()).toMatchObject({ ready: true, copies: null, spent: false })
    expect(engine.liveness(await engine.observe())).toBe(true)
  })

  it('is dead once it was removed, since only another process can join', async () => {
    const { engines, engine } = await started()
    await grow(engine)
    await waitFor('it is an instance', async () => (await engine.observe()).ready)
    await servers.client(0).removeInstance(OWN)
    await engine.observe()
    engines.nowMs += 5_000
    const view = await waitFor('it knows', async () => {
      const seen = await engine.observe()
      return seen.spent ? seen : null
    })
    expect(view).toMatchObject({ ready: false, clusterId: '' })
    expect(engine.liveness(view)).toBe(false)
    await permit(engine)
    expect((await engine.observe()).instance).toBe('g-copies-0-0a1b2c3d-2')
  })

  it('is dead once it was told to remove itself, also in the middle of its growth', async () => {
    const { engines, engine } = await started(600)
    await grow(engine)
    const call = callOf(await engine.observe(), { initialized })
    await engine.perform('removeInstance', { instance: OWN }, call)
    expect((await engine.observe()).copies).toEqual([])
    const view = await engines.copy(0).observe()
    expect(view).toMatchObject({ spent: true, ready: false })
    await permit(engine)
    expect(await engine.observe()).toMatchObject({ spent: false, copies: [] })
  })

  it('is dead when the controlling instance will not have its name', async () => {
    const { engines, engine } = await started()
    await servers.client(0).growCluster(OWN, servers.place(1))
    await servers.client(0).removeInstance(OWN)
    servers.double(1).refusesCopies = true
    await expect(grow(engine)).rejects.toThrow(/never joins again/)
    expect(engines.warnings[0]).toContain('did not join')
    expect((await engine.observe()).spent).toBe(true)
  })

  it('is dead when its growth has failed, and also when nothing comes of it', async () => {
    const { engines, engine } = await started(300)
    servers.double(1).refusesCopies = true
    await grow(engine)
    await waitFor('the growth has failed', () => engines.warnings.length > 0)
    expect(engines.warnings[0]).toContain(`${OWN} did not join`)
    expect(engines.warnings.join()).not.toContain(servers.password)
    // The controlling one lists it still.
    expect(await engine.observe()).toMatchObject({ answers: true, spent: true })
    const next = engines.copy(0)
    expect((await next.observe()).spent).toBe(false)
    engines.nowMs += 10_000
    expect((await next.observe()).spent).toBe(true)
  })

  it('is dead when it has not answered for long', async () => {
    const { engines, engine } = await started()
    servers.double(1).mute = true
    const view = await engine.observe()
    expect(view).toMatchObject({ answers: false, ready: false })
    expect(engine.liveness(view)).toBe(true)
    engines.nowMs += 30_000
    expect(engine.liveness(view)).toBe(false)
    engine.permitLine('join')
    expect(engine.liveness(view)).toBe(true)
  })
})

describe('the settings of AllegroGraph', () => {
  const flags = {
    engine: 'allegrograph',
    pod: 'g-copies-0',
    tree: '127.0.0.1:1',
    kubernetesUrl: 'http://127.0.0.1:1',
    allegrographPasswordFile: '/nowhere',
  }
  const made = (given: Record<string, string>) => {
    const config = loadAgentConfig({ environment: {}, flags: { ...flags, ...given } })
    return allegrographEngine({
      config,
      disk: new MemberDisk([mkdtempSync(join(tmpdir(), 'quorate-allegrograph-'))]),
      coordination: null as unknown as Coordination,
      logger: pino({ level: 'silent' }),
      nowMs: () => 0,
    })
  }
  const asCopy = {
    allegrographRole: 'copy',
    allegrographControlling: '[fd00::7]:10035',
    allegrographPodUid: 'u-1',
  }

  it('make either kind of agent', async () => {
    servers = await Servers.start('json')
    expect(made({ allegrographCopies: 'g-copies' })).toBeInstanceOf(ControllingEngine)
    expect(made(asCopy)).toBeInstanceOf(CopyEngine)
  })

  it.each([
    ['allegrographCopies', {}],
    ['allegrographPodUid', { ...asCopy, allegrographPodUid: '' }],
    ['allegrographControlling', { ...asCopy, allegrographControlling: '' }],
    ['allegrographControlling', { ...asCopy, allegrographControlling: 'nobody' }],
    ['allegrographPasswordFile', { ...asCopy, allegrographPasswordFile: '' }],
  ])('name %s when it is wrong', async (name, given) => {
    servers = await Servers.start('json')
    expect(() => made(given)).toThrow(name)
  })

  it('hold no secret: the password is in a file', async () => {
    servers = await Servers.start('json')
    const { settings } = loadAgentConfig({ environment: {}, flags: { ...flags, ...asCopy } })
    expect(JSON.stringify(redactedSettings(settings))).not.toContain(servers.password)
    expect(Object.keys(settings).filter((name) => /^allegrograph.*password$/i.test(name))).toEqual(
      [],
    )
  })
})

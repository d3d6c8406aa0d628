import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { reservePorts } from '../support/ports.ts'
import { type ServerEnsemble, ServerProcess } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = readFileSync(join(repository, 'docs/adding-an-engine.md'), 'utf8')
const COUNT = 3
const TOKEN = 'stop-token'
const WITHIN_MS = 60_000

/** The blocks of the page that name a file: file -> text. */
const blocks = new Map(
  [...PAGE.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)].map(([, file = '', text = '']) => [
    file,
    text,
  ]),
)

/** A change of a file as the page shows it: a line of the file, and what comes after it. */
function changed(text: string, change: string): string {
  return change.split('@@\n').reduce((all, part) => {
    const lines = part.split('\n').filter((line) => line !== '')
    const [before = '', ...after] = lines.map((line) => line.slice(1))
    expect(all).toContain(`${before}\n`)
    return all.replace(`${before}\n`, () => `${[before, ...after].join('\n')}\n`)
  }, text)
}

/** The page, done by a reader: its files in a copy of the agent, compiled, and run. */
describe('the engine of the page', () => {
  // Within the repository, whose modules the copy needs.
  const copy = mkdtempSync(join(repository, 'dist', 'adding-an-engine-'))
  const directory = mkdtempSync(join(tmpdir(), 'quorate-tally-'))
  const kubernetes = new FakeKubernetes(COUNT)
  let tree: ServerEnsemble
  const pods: { agent: ServerProcess; engine: ServerProcess; agentPort: number; port: number }[] =
    []

  beforeAll(() => {
    cpSync(join(repository, 'agent'), join(copy, 'agent'), { recursive: true })
    cpSync(join(repository, 'server'), join(copy, 'server'), { recursive: true })
    for (const [file, text] of blocks) {
      const path = join(copy, file)
      mkdirSync(dirname(path), { recursive: true })
      const isChange = file === 'agent/engines/kinds.ts'
      writeFileSync(path, isChange ? changed(readFileSync(path, 'utf8'), text) : text)
    }
    const { compilerOptions } = JSON.parse(readFileSync(join(repository, 'tsconfig.json'), 'utf8'))
    const tsconfig = { compilerOptions, include: ['agent'] }
    writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(tsconfig))
  })
  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return
    console.error(
      pods.flatMap(({ agent, engine }) => [engine.logTail(), agent.logTail()]).join('\n'),
    )
  })
  afterAll(async () => {
    const processes = pods.flatMap(({ agent, engine }) => [agent, engine])
    await Promise.all(processes.map((each) => each.signal('SIGKILL')))
    kubernetes.close()
    await tree?.stop()
    for (const path of [copy, directory]) rmSync(path, { recursive: true, force: true })
  }, 60_000)

  const get = async (port: number, path: string) => await fetch(`http://127.0.0.1:${port}${path}`)
  const list = async (index: number): Promise<readonly string[]> => {
    const answer = await (await get(pods[index]?.port ?? 0, '/')).json()
    return (answer as { members: readonly string[] }).members
  }
  const isReady = async ({ agentPort }: { agentPort: number }) =>
    (await get(agentPort, '/engine/readyz')).status === 200

  it('is compiled with the agent, as it stands there', () => {
    expect([...blocks.keys()]).toEqual([
      'tally.mjs',
      'agent/core/cluster/tally-plan.ts',
      'agent/engines/tally/tally-engine.ts',
      'agent/engines/tally/tally-kind.ts',
      'agent/engines/kinds.ts',
      'start.sh',
    ])
    const tsc = join(repository, 'node_modules', '.bin', 'tsc')
    const options = { cwd: copy, encoding: 'utf8', stdio: 'pipe' } as const
    expect(() => execFileSync(tsc, ['--noEmit', '-p', '.'], options)).not.toThrow()
    buildSync({
      entryPoints: [join(copy, 'agent/main.ts')],
      outfile: join(copy, 'agent.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      define: { __VERSION__: '"page"' },
      logLevel: 'silent',
    })
  })

  it('forms a cluster, once', async () => {
    tree = await quorateEnsemble({ servers: 1, tickMs: 1_000 })
    await Promise.all([tree.start(), kubernetes.listen()])
    const ports = await reservePorts(2 * COUNT)
    const urls = ports.slice(0, COUNT).map((port) => `http://127.0.0.1:${port}`)
    for (let i = 0; i < COUNT; i += 1) pods.push(podOf(i, ports, urls))
    for (const { agent } of pods) agent.start()
    for (const { agentPort } of pods) {
      const decided = async () => (await get(agentPort, '/startupz')).status === 200
      await waitFor('the agent has decided', decided, WITHIN_MS)
    }
    for (const { engine } of pods) engine.start()
    await waitFor(
      'all are ready',
      async () => (await Promise.all(pods.map(isReady))).every((ready) => ready),
      WITHIN_MS,
    )
    expect([...(await list(2))].sort()).toEqual(['q-0', 'q-1', 'q-2'])
    const founded = kubernetes.events.filter(({ message }) => message.startsWith('bootstrap'))
    expect(founded).toHaveLength(1)
  })

  it('takes a member off the list when the set is smaller, and back when it grows', async () => {
    kubernetes.replicas = 2
    const last = pods[2]
    const headers = { authorization: `Bearer ${TOKEN}` }
    const url = `http://127.0.0.1:${last?.agentPort}/prestop`
    expect((await fetch(url, { headers })).status).toBe(200)
    expect(await list(0)).toEqual(['q-0', 'q-1'])
    await last?.engine.signal('SIGTERM')
    await last?.agent.signal('SIGTERM')
    kubernetes.replicas = 3
    last?.agent.start()
    last?.engine.start()
    await waitFor('it is back', async () => (await list(0)).includes('q-2'), WITHIN_MS)
    await waitFor('it is ready', () => last !== undefined && isReady(last), WITHIN_MS)
  })

  function podOf(index: number, ports: readonly number[], urls: readonly string[]) {
    const [port = 0, agentPort = 0] = [ports[index], ports[COUNT + index]]
    const place = join(directory, `q-${index}`)
    const data = join(place, 'data')
    mkdirSync(data, { recursive: true })
    const pipe = join(place, 'permit')
    const flags = {
      engine: 'tally',
      pod: `q-${index}`,
      tree: tree.clientPorts.map((each) => `127.0.0.1:${each}`).join(','),
      'tally-port': port,
      'tally-members': urls.join(','),
      'data-directory': data,
      'permit-pipe': pipe,
      host: '127.0.0.1',
      port: agentPort,
      'advertised-host': '127.0.0.1',
      'kubernetes-url': kubernetes.url,
      'prestop-token': TOKEN,
      'session-timeout-ms': 4_000,
    }
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
    const variables = { PERMIT_PIPE: pipe, POD: `q-${index}`, PORT: port, DATA: data }
    const environment = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
    const script = ['/usr/bin/env', ...environment, '/bin/sh', join(copy, 'start.sh')]
    const [command = '', ...rest] = script
    const log = (name: string) => join(place, `${name}.log`)
    const agentArgs = [join(copy, 'agent.cjs'), ...args]
    return {
      agent: new ServerProcess(`agent ${index}`, process.execPath, agentArgs, log('agent')),
      engine: new ServerProcess(`tally ${index}`, command, rest, log('engine'), copy),
      agentPort,
      port,
    }
  }
})

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type PostgresqlView,
  postgresqlPlan,
  type Replication,
} from '../../../../agent/core/cluster/postgresql-plan.ts'
import { type EngineCall, UNFENCED } from '../../../../agent/engines/engine.ts'
import { PatroniClient } from '../../../../agent/engines/postgresql/patroni-client.ts'
import { PostgresqlEngine } from '../../../../agent/engines/postgresql/postgresql-engine.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { facts } from '../cluster-observations.ts'
import { observation } from '../observations.ts'
import { optionsWith } from './engine-options.ts'

let server: Server
let configuration: Record<string, unknown>
/** Bodies of all changes, each with the credentials it came with. */
let changes: { readonly by: string | undefined; readonly body: unknown }[]
let refuses: boolean

/** A double of Patroni’s REST API: a primary that is alone, and the dynamic configuration. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const say = (value: unknown, status = 200) =>
    response.writeHead(status).end(JSON.stringify(value))
  if (request.url === '/cluster') return void say({ members: [] })
  if (request.url !== '/config') return void say({ state: 'running', role: 'primary' })
  if (request.method !== 'PATCH') return void say(configuration)
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = JSON.parse(Buffer.concat(chunks).toString())
  changes.push({ by: request.headers.authorization, body })
  if (refuses) return void say({}, 409)
  Object.assign(configuration, body)
  say(configuration)
}

beforeEach(async () => {
  configuration = { ttl: 20, postgresql: { parameters: { work_mem: '8MB' } } }
  changes = []
  refuses = false
  server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

function engineOf(replication: Replication | null): PostgresqlEngine {
  return new PostgresqlEngine(
    optionsWith({
      patroni: new PatroniClient({
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        user: 'quorate',
        passwordFile: '',
        lagBytesMax: 1,
        timeoutMs: 1_000,
        treeTimeoutMs: 1_000,
      }),
      replication,
    }),
  )
}

/** What the elected agent does now, once the engine has seen the configuration. */
async function dutyOf(engine: PostgresqlEngine, replication: Replication | null) {
  const view = await waitFor('the configuration is known', async () => {
    const seen = await engine.observe()
    return seen.replication === null ? null : seen
  })
  const plan = postgresqlPlan({ standbyWaitMs: 1_000, volatile: false, replication })
  return plan.setDuty({ ...observation({ cluster: facts() }), engine: view })
}

describe('the mode of replication', () => {
  const modes: [Replication, Record<string, unknown>][] = [
    ['asynchronous', { synchronous_mode: false, synchronous_mode_strict: false }],
    ['synchronous', { synchronous_mode: true, synchronous_mode_strict: false }],
    ['strict', { synchronous_mode: true, synchronous_mode_strict: true }],
  ]
  const call = { fence: UNFENCED } as EngineCall<PostgresqlView>

  it.each(modes)('becomes %s, and nothing else changes', async (wanted, expected) => {
    for (const [given] of modes.filter(([mode]) => mode !== wanted)) {
      configuration = { ttl: 20, loop_wait: 5, ...Object.fromEntries(keysOf(given)) }
      const engine = engineOf(wanted)
      const duty = await dutyOf(engine, wanted)
      expect(duty).toMatchObject({ lock: 'election', reason: expect.stringContaining(given) })
      await engine.perform(duty?.name ?? '', duty?.args ?? {}, call)
      expect(changes.at(-1)).toEqual({ by: `Basic ${btoa('quorate:')}`, body: expected })
      expect(configuration).toEqual({ ttl: 20, loop_wait: 5, ...expected })
      expect(await dutyOf(engine, wanted)).toBeNull()
    }
  })

  it.each([
    ['a quorum', { synchronous_mode: 'quorum' }, 'synchronous'],
    ['strict without being synchronous', { synchronous_mode_strict: true }, 'asynchronous'],
  ] as const)('is set where somebody has made it %s', async (_, given, wanted) => {
    Object.assign(configuration, given)
    const engine = engineOf(wanted)
    const duty = await dutyOf(engine, wanted)
    await engine.perform(duty?.name ?? '', duty?.args ?? {}, call)
    expect(await dutyOf(engine, wanted)).toBeNull()
  })

  it.each([
    ['asynchronous', {}],
    ['synchronous', { synchronous_mode: 'on' }],
    ['strict', { synchronous_mode: true, synchronous_mode_strict: 'yes' }],
    [null, { synchronous_mode: true }],
  ] as const)('is left alone where it is %s', async (wanted, given) => {
    Object.assign(configuration, given)
    expect(await dutyOf(engineOf(wanted), wanted)).toBeNull()
  })

  it('is not touched by an agent that may have lost the election', async () => {
    const check = () => {
      throw new Error('fenced')
    }
    const fenced = { fence: { token: '', check } } as unknown as EngineCall<PostgresqlView>
    const change = engineOf('strict').perform('setReplication', {}, fenced)
    await expect(change).rejects.toThrow('fenced')
    expect(changes).toEqual([])
  })

  it('is tried again after a refusal', async () => {
    refuses = true
    const engine = engineOf('strict')
    const duty = await dutyOf(engine, 'strict')
    const change = engine.perform(duty?.name ?? '', duty?.args ?? {}, call)
    await expect(change).rejects.toThrow('Patroni')
    expect(await dutyOf(engine, 'strict')).toEqual(duty)
  })

  function keysOf(mode: Replication): [string, unknown][] {
    return Object.entries(modes.find(([name]) => name === mode)?.[1] ?? {})
  }
})

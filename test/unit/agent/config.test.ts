import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadAgentConfig, redactedSettings } from '../../../agent/config.ts'

function load(flags: Record<string, unknown>, environment: Record<string, string> = {}) {
  return loadAgentConfig({ flags: { pod: 'orders-2', ...flags }, environment })
}

describe('the settings of the agent', () => {
  it('follow from the name of the pod', () => {
    const { settings, ordinal } = load({ namespace: 'db' })
    expect(ordinal).toBe(2)
    expect(settings).toMatchObject({
      set: 'orders',
      cluster: 'orders',
      record: 'orders-forming',
      advertisedHost: 'orders-2.orders.db.svc.cluster.local',
      port: 8090,
    })
  })

  it('come from flags before the environment', () => {
    const environment = { QUORATE_AGENT_PORT: '9000', QUORATE_AGENT_TREE: 'a:1, b:2' }
    expect(load({}, environment).settings).toMatchObject({ port: 9000, tree: ['a:1', 'b:2'] })
    expect(load({ port: '9001' }, environment).settings.port).toBe(9001)
  })

  it('are refused by name', () => {
    expect(() => load({ port: 'x' })).toThrow(/port/)
    expect(() => load({ engine: 'oracle' })).toThrow(/engine/)
    expect(() => load({ pod: 'orders' })).toThrow(/pod/)
    expect(() => load({ set: 'other' })).toThrow(/orders-2/)
    expect(() => load({ prestopTokenFile: '/nonexistent/token' })).toThrow(/ENOENT/)
  })

  it('keep secrets to themselves', () => {
    const file = join(tmpdir(), `quorate-token-${process.pid}`)
    writeFileSync(file, 'hidden\n')
    const { settings } = load({ prestopTokenFile: file })
    expect(settings.prestopToken).toBe('hidden')
    expect(JSON.stringify(redactedSettings(settings))).not.toContain('hidden')
  })
})

import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { Coordination } from '../../../../agent/coordination/coordination.ts'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import type { KraftView } from '../../../../agent/core/cluster/kraft-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { kafkaEngine } from '../../../../agent/engines/kafka/kafka-kind.ts'
import { KraftEngine } from '../../../../agent/engines/kafka/kraft-engine.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { observation } from '../observations.ts'

function engineOf(flags: Readonly<Record<string, string>>): KraftEngine {
  const config = loadAgentConfig({
    environment: {},
    flags: { engine: 'kafka', pod: 'k-1', tree: '127.0.0.1:1', kafkaMode: 'kraft', ...flags },
  })
  const engine = kafkaEngine({
    config,
    disk: new MemberDisk(['/nowhere']),
    coordination: {} as Coordination,
    logger: pino({ level: 'silent' }),
    nowMs: () => 0,
  })
  if (!(engine instanceof KraftEngine)) throw new Error('not of this mode')
  return engine
}

const initialized = { engineClusterId: 'hZ-3_k', by: 'k-0', at: 1, position: null, expected: 3 }
const intent = { by: 'k-1', incarnation: 1, token: '1', nonce: '-nonce', chosenFrom: {} }

function seen(facts: Partial<ClusterFacts>): Observation<KraftView> {
  const cluster = { initialized: null, intent: null, ...facts } as ClusterFacts
  return observation({ cluster }) as Observation<KraftView>
}

describe('the line that a node is started with', () => {
  const engine = engineOf({})

  it('formats the disk of the founder under the id of its intent', () => {
    expect(engine.permitLine('bootstrap', seen({ intent }))).toBe(
      // No flag to whoever reads it.
      '--format Anonce --standalone node.id=1',
    )
  })

  it('formats the disk of one that joins without a vote', () => {
    expect(engine.permitLine('join', seen({ initialized }))).toBe(
      '--format hZ-3_k --no-initial-controllers node.id=1',
    )
    // Who joins has no part in what another founds.
    expect(() => engine.permitLine('join', seen({ intent }))).toThrow('no cluster id')
  })

  it('never formats a disk that holds a cluster', () => {
    expect(engine.permitLine('resume', seen({ initialized }))).toBe('node.id=1')
    expect(engine.permitLine('resume', observation() as Observation<KraftView>)).toBe('node.id=1')
  })

  it('has its listeners, by the template for all', () => {
    const kafkaAdvertisedListeners = 'IN://{host}:9092,OUT://out:{31090+ordinal}'
    const told = engineOf({ advertisedHost: 'me', kafkaAdvertisedListeners })
    expect(told.permitLine('resume', seen({ initialized }))).toBe(
      'node.id=1 advertised.listeners=IN://me:9092,OUT://out:31091',
    )
  })
})

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { LeaseStatus } from './core/lease.ts'
import type { ActionKind, Phase } from './core/state.ts'
import { limits } from './limits.ts'

const PHASES: readonly Phase[] = ['waiting', 'starting', 'serving', 'draining', 'drained']
const LEASES: readonly LeaseStatus[] = ['none', 'held', 'suspended', 'lost']

/** What gauges read when Prometheus asks. */
export interface MetricSources {
  readonly phase: () => Phase
  readonly lease: () => LeaseStatus
  readonly usable: () => boolean
  readonly published: () => boolean
  readonly kubernetesFailures: () => number
}

export interface AgentMetrics {
  readonly registry: Registry
  /** An action was tried. */
  acted(kind: ActionKind, ok: boolean): void
}

/** The agent's metrics in a registry of their own, all named quorate_agent_… beside the process's. */
export function buildAgentMetrics(sources: MetricSources): AgentMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: limits.lagSampleMs })
  state(
    'quorate_agent_phase',
    'Where the member is; 1 for the phase it is in',
    PHASES,
    sources.phase,
  )
  state('quorate_agent_lease', 'The session in the tree; 1 for its status', LEASES, sources.lease)
  truth('quorate_agent_member_usable', 'Clients may use the member', sources.usable)
  truth('quorate_agent_member_published', 'The tree has the document', sources.published)
  new Counter({
    name: 'quorate_agent_kubernetes_failures_total',
    help: 'Reads of the Kubernetes API that failed',
    registers,
    collect() {
      this.reset()
      this.inc(sources.kubernetesFailures())
    },
  })
  const actions = new Counter({
    name: 'quorate_agent_actions_total',
    help: 'Side effects that were tried, by kind and outcome',
    labelNames: ['action', 'outcome'],
    registers,
  })
  return {
    registry,
    acted: (kind, ok) => actions.inc({ action: kind, outcome: ok ? 'done' : 'failed' }),
  }

  function state<T extends string>(
    name: string,
    help: string,
    values: readonly T[],
    now: () => T,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: ['state'],
      registers,
      collect() {
        for (const value of values) this.set({ state: value }, value === now() ? 1 : 0)
      },
    })
  }

  function truth(name: string, help: string, now: () => boolean): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(now() ? 1 : 0)
      },
    })
  }
}

import { SINCE_VERSION } from '../core/machine/cluster-version.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Member } from '../core/raft/message.ts'
import { CONFIG_PATH } from '../core/tree/tree.ts'
import { configText, parseConfig, serversOf } from './dynamic-config.ts'

export interface ConfigDutyOptions {
  readonly machine: () => StateMachine
  /** The configuration as of what is applied. */
  readonly members: () => readonly Member[]
  /** A reconfiguration is under way, at whose end the copy is written. */
  readonly paused: () => boolean
  /** Hands in a request of the server itself; `done` is called when its outcome is known. */
  readonly submit: (operation: Operation, done: () => void) => void
}

/**
 * The leader's copy of the configuration for clients of ZooKeeper. Raft's is the true one: whenever
 * the two differ, after a change or because an earlier leader did not come to it, the copy is written.
 */
export class ConfigDuty {
  readonly #options: ConfigDutyOptions
  #writing = false

  constructor(options: ConfigDutyOptions) {
    this.#options = options
  }

  /** At each tick of a leader in fresh contact with its quorum. */
  tick(): void {
    const { machine, members, submit } = this.#options
    const { clusterVersion, tree } = machine()
    if (this.#writing || this.#options.paused() || clusterVersion < SINCE_VERSION.quotas) return
    const present = Buffer.from(tree.data(CONFIG_PATH) ?? []).toString('utf8')
    const servers = configText(members(), parseConfig(present))
    if (servers === serversOf(present)) return
    this.#writing = true
    submit({ kind: 'setConfig', servers: Buffer.from(servers, 'utf8') }, () => {
      this.#writing = false
    })
  }
}

/** Coded errors of the agent: they end the process at its start, or are told in a log line. */
export const agentErrors = {
  AGENT_CONFIG_INVALID: 'A setting is wrong; the message names it.',
  AGENT_PIPE_UNUSABLE: 'The permit pipe cannot be made or is no pipe.',
  AGENT_PORT_UNAVAILABLE: 'The port of the probes cannot be opened.',
  ENGINE_UNREACHABLE: 'The engine does not answer.',
  ENGINE_REFUSED: 'The engine refused a request; the message has its answer.',
  KUBERNETES_REFUSED: 'The Kubernetes API refused a request; the message has its status.',
  KUBERNETES_UNREACHABLE: 'The Kubernetes API cannot be reached.',
  KUBERNETES_TIMEOUT: 'The Kubernetes API did not answer in time.',
  TREE_UNREACHABLE: 'The tree has no session with this agent now.',
  TREE_FENCED: 'The lock that a change needs may be held by another by now.',
  TREE_UNREADABLE: 'The tree holds what no agent writes; the message names the znode.',
  CLUSTER_MISMATCH: 'The tree belongs to another cluster than the one that runs here.',
  TREE_REFUSED: 'The tree refused a request; `treeCode` is the code.',
} as const satisfies Readonly<Record<string, string>>

export type AgentErrorCode = keyof typeof agentErrors

export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: AgentErrorCode
  /** The refusing side's own code: HTTP status or ZooKeeper error. */
  readonly detail: number | null

  constructor(code: AgentErrorCode, message: string, detail: number | null = null) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

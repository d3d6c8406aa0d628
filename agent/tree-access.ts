import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import type { AgentConfig } from './config.ts'
import { ClusterStore } from './coordination/cluster-store.ts'
import type { Coordination } from './coordination/coordination.ts'
import type { TreeServer, TreeTls } from './coordination/relay.ts'
import { ZookeeperCoordination } from './coordination/zookeeper.ts'
import { AgentError } from './errors.ts'
import { limits } from './limits.ts'
import { podHost } from './pod-host.ts'

const nowMs = () => performance.now()

/** The tree's side of the cluster, for engines whose founding is on record there. */
export function storeOf(
  { settings }: AgentConfig,
  coordination: Coordination,
  incarnation: number,
  logger: Logger,
): ClusterStore {
  const { treeRoot, cluster, pod } = settings
  return new ClusterStore({
    coordination,
    root: `${treeRoot}/clusters/${cluster}`,
    services: `${treeRoot}/services/${cluster}`,
    pod,
    incarnation,
    everyMs: limits.clusterEveryMs,
    everyMsIdle: limits.clusterEveryMsIdle,
    nowMs,
    wallMs: () => Date.now(),
    log: (message, fields) => logger.info(fields, message),
  })
}

/** The session of the agent; `ordinals`: the pods that may serve the tree, where no list is given. */
export function coordinationOf(
  config: AgentConfig,
  logger: Logger,
  ordinals: () => readonly number[],
): Coordination {
  const { settings } = config
  const port = settings.treeCaFile === '' ? settings.clientPort : settings.secureClientPort
  const own: TreeServer = { host: settings.engineHost, port }
  const given = settings.tree.map(serverOf)
  const servers = (): readonly TreeServer[] => {
    if (given.length > 0) return given
    const others = ordinals().filter((ordinal) => ordinal !== config.ordinal)
    return [own, ...others.map((ordinal) => ({ host: podHost(config, ordinal), port }))]
  }
  return new ZookeeperCoordination({
    servers,
    tls: tlsOf(config),
    sessionTimeoutMs: settings.sessionTimeoutMs,
    dialTimeoutMs: limits.treeDialMs,
    avoidMs: limits.treeAvoidMs,
    frameBytesMax: limits.treeFrameBytesMax,
    requestTimeoutMs: limits.treeTimeoutMs,
    handshakeTimeoutMs: limits.treeHandshakeMs,
    checkEveryMs: limits.leaseEveryMs,
    goodbyeMs: limits.goodbyeMs,
    nowMs,
    log: (message, fields) => logger.info(fields, message),
  })
}

function tlsOf({ settings }: AgentConfig): TreeTls | null {
  const { treeCaFile, treeCertificateFile, treeKeyFile, advertisedHost } = settings
  if (treeCaFile === '') return null
  const text = (path: string) => (path === '' ? '' : readFileSync(path, 'utf8'))
  const read = () => ({
    ca: text(treeCaFile),
    cert: text(treeCertificateFile),
    key: text(treeKeyFile),
  })
  return { read, localName: advertisedHost }
}

function serverOf(place: string): TreeServer {
  const colon = place.lastIndexOf(':')
  const port = Number(place.slice(colon + 1))
  if (colon <= 0 || !Number.isInteger(port)) {
    throw new AgentError('AGENT_CONFIG_INVALID', `tree: ${place} is no host:port`)
  }
  return { host: place.slice(0, colon), port }
}

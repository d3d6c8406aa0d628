import { limits } from '../../limits.ts'
import { podHost } from '../../pod-host.ts'
import type { EngineSetup } from '../kinds.ts'
import { QuorateEngine } from './quorate-engine.ts'

/** The server of the ensemble, by the agent's settings. */
export function quorateEngine({ config, disk }: EngineSetup): QuorateEngine {
  const { settings, ordinal } = config
  return new QuorateEngine({
    disk,
    dataDirectory: settings.dataDirectory,
    pod: settings.pod,
    ordinal,
    host: settings.engineHost,
    httpPort: settings.httpPort,
    peerPort: settings.peerPort,
    clientPorts: {
      port: settings.clientPort || null,
      sslPort: settings.secureClientPort || null,
    },
    token: settings.engineToken,
    timeoutMs: limits.engineTimeoutMs,
    peerAddress: (other) =>
      settings.peerServers[other] ?? `${podHost(config, other)}:${settings.peerPort}`,
  })
}

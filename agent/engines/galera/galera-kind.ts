import { join } from 'node:path'
import { limits } from '../../limits.ts'
import { podHost } from '../../pod-host.ts'
import { readSecretFile } from '../../secret-file.ts'
import { CertificateFiles } from '../certificate-files.ts'
import type { EngineSetup } from '../kinds.ts'
import { GaleraEngine } from './galera-engine.ts'
import { MariadbSession } from './mariadb-session.ts'

/** A server of MariaDB with Galera, by the agent's settings. */
export function galeraEngine({ config, disk, nowMs }: EngineSetup): GaleraEngine {
  const { settings } = config
  const { galeraTlsCaFile, galeraTlsCertificateFile, galeraTlsKeyFile } = settings
  const files = [galeraTlsCaFile, galeraTlsCertificateFile, galeraTlsKeyFile]
  const hasTls = galeraTlsCertificateFile !== ''
  return new GaleraEngine({
    disk,
    dataDirectory: join(settings.dataDirectory, settings.galeraData),
    positionFile: settings.galeraPositionFile,
    session: new MariadbSession({
      socket: settings.galeraSocket,
      user: settings.galeraAgentUser,
      password: () => readSecretFile(settings.galeraAgentPasswordFile),
      timeoutMs: limits.galeraAnswerMs,
      packetBytesMax: limits.galeraPacketBytesMax,
    }),
    certificates: new CertificateFiles(hasTls ? files : []),
    // MariaDB speaks both on one port.
    clientPorts: { port: settings.galeraPort, sslPort: hasTls ? settings.galeraPort : null },
    ports: { replication: settings.galeraReplicationPort },
    set: settings.set,
    placeOf: (ordinal) =>
      settings.galeraHosts[ordinal] ??
      `${podHost(config, ordinal)}:${settings.galeraReplicationPort}`,
    donorServes: settings.galeraDonorServes === 'yes',
    leaveMs: limits.galeraLeaveMs,
    standDownMs: limits.galeraStandDownMs,
    dutyRetryMs: limits.galeraDutyRetryMs,
    nowMs,
  })
}

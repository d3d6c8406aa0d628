import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { podHost } from '../../pod-host.ts'
import type { EngineSetup } from '../kinds.ts'
import { CertificateFiles } from './certificate-files.ts'
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
      password: () => passwordIn(settings.galeraAgentPasswordFile),
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

function passwordIn(path: string): string {
  if (path === '') return ''
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new AgentError('AGENT_CONFIG_INVALID', messageOf(error))
  }
}

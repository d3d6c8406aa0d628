import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { Coordination } from '../../../../agent/coordination/coordination.ts'
import type { MongodbView } from '../../../../agent/core/cluster/mongodb-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { type EngineCall, type Fence, UNFENCED } from '../../../../agent/engines/engine.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import type { MongodbEngine } from '../../../../agent/engines/mongodb/mongodb-engine.ts'
import { mongodbEngine } from '../../../../agent/engines/mongodb/mongodb-kind.ts'
import { observation, set } from '../observations.ts'
import { agentCredentials, type Servers } from './servers.ts'

/** What engines of this file told, each as a line of the log. */
export const warnings: string[] = []

const nowMs = () => performance.now()

/** Settings of the agent of one member, as a chart gives them. */
export function flagsOf(servers: Servers, ordinal: number): Record<string, string> {
  const agentPassword = join(servers.root, 'agent-password')
  const appPassword = join(servers.root, 'app-password')
  writeFileSync(agentPassword, `${agentCredentials.password}\n`)
  writeFileSync(appPassword, 'app-secret')
  const dataDirectory = join(servers.root, `pod-${ordinal}`)
  mkdirSync(dataDirectory, { recursive: true })
  return {
    engine: 'mongodb',
    pod: `q-${ordinal}`,
    tree: '127.0.0.1:1',
    dataDirectory,
    permitPipe: join(servers.root, `pod-${ordinal}`, 'run', 'permit'),
    mongodbPort: String(servers.ports[ordinal]),
    mongodbHosts: servers.places.join(','),
    mongodbKeyFile: servers.keyFile,
    mongodbAgentPasswordFile: agentPassword,
    mongodbUsers: `app=readWrite@shop+read@audit:${appPassword}`,
  }
}

export function engineOf(
  servers: Servers,
  ordinal: number,
  changes: Record<string, string> = {},
): MongodbEngine {
  const flags = { ...flagsOf(servers, ordinal), ...changes }
  const config = loadAgentConfig({ environment: {}, flags })
  const disk = new MemberDisk([config.settings.dataDirectory])
  const logger = pino({ level: 'warn' }, { write: (line: string) => warnings.push(line) })
  // Only engines that look into the tree use it.
  const coordination = null as unknown as Coordination
  return mongodbEngine({ config, disk, coordination, logger, nowMs })
}

/** A call as the driver makes it, on what the engine itself sees now. */
export async function callOf(
  engine: MongodbEngine,
  ordinal: number,
  replicas = 3,
  fence: Fence = UNFENCED,
): Promise<EngineCall<MongodbView>> {
  const seen: Observation<MongodbView> = {
    ...observation({
      self: { set: 'q', pod: `q-${ordinal}`, ordinal },
      statefulSet: set({ replicas }),
      disk: engine.discover(),
    }),
    engine: await engine.observe(),
  }
  return { observation: seen, fence }
}

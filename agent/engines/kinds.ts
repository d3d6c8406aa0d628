import type { Logger } from 'pino'
import type { AgentConfig } from '../config.ts'
import type { Coordination } from '../coordination/coordination.ts'
import { allegrographEngine } from './allegrograph/allegrograph-kind.ts'
import { allegrographSettings } from './allegrograph/allegrograph-settings.ts'
import type { Engine } from './engine.ts'
import { galeraEngine } from './galera/galera-kind.ts'
import { galeraSettings } from './galera/galera-settings.ts'
import { genericEngine } from './generic/generic-kind.ts'
import { genericSettings } from './generic/generic-settings.ts'
import { kafkaEngine } from './kafka/kafka-kind.ts'
import { kafkaSettings } from './kafka/kafka-settings.ts'
import type { MemberDisk } from './member-disk.ts'
import { mongodbSettings } from './mongodb/mongodb-settings.ts'
import { postgresqlEngine } from './postgresql/postgresql-kind.ts'
import { postgresqlSettings } from './postgresql/postgresql-settings.ts'
import { quorateEngine } from './quorate/quorate-kind.ts'
import { quorateSettings } from './quorate/quorate-settings.ts'

/** What an engine is made of. */
export interface EngineSetup {
  readonly config: AgentConfig
  readonly disk: MemberDisk
  /** The tree, for engines that look at what their software keeps there. */
  readonly coordination: Coordination
  readonly logger: Logger
  readonly nowMs: () => number
}

type EngineMaker = (setup: EngineSetup) => Promise<Engine>

/**
 * Every engine, by the value of the setting `engine`. Every agent has the memory of what it imports: so a
 * driver is imported where it is first used, or with the engine that is made of it. What such an import
 * reaches is bundled with all that it exports, so it may not reach the Kubernetes client, of which
 * one class is used.
 */
export const engineKinds = {
  quorate: async (setup: EngineSetup) => quorateEngine(setup),
  mongodb: async (setup: EngineSetup) =>
    (await import('./mongodb/mongodb-kind.ts')).mongodbEngine(setup),
  kafka: async (setup: EngineSetup) => kafkaEngine(setup),
  postgresql: async (setup: EngineSetup) => postgresqlEngine(setup),
  generic: async (setup: EngineSetup) => genericEngine(setup),
  allegrograph: async (setup: EngineSetup) => allegrographEngine(setup),
  galera: async (setup: EngineSetup) => galeraEngine(setup),
} as const satisfies Readonly<Record<string, EngineMaker>>

export type EngineKind = keyof typeof engineKinds

/** The settings of all engines; names are the engine's own, since all are flags of one command. */
export const engineSettings = {
  ...quorateSettings,
  ...mongodbSettings,
  ...kafkaSettings,
  ...postgresqlSettings,
  ...genericSettings,
  ...allegrographSettings,
  ...galeraSettings,
}

export const engineNames = Object.keys(engineKinds) as EngineKind[]

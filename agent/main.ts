import './memory.ts'

import closeWithGrace from 'close-with-grace'
import { Command, Option } from 'commander'
import { pino } from 'pino'
import { Agent } from './agent.ts'
import { AgentSettings, agentSettingNames, loadAgentConfig, redactedSettings } from './config.ts'
import { AgentError } from './errors.ts'
import { secretsCommand } from './secrets.ts'
import { VERSION } from './version.ts'

const CONFIG_EXIT = 78

/** Runs one agent until SIGTERM has been dealt with. Rejects with an AgentError when it cannot start. */
async function runAgent(flags: Readonly<Record<string, unknown>>): Promise<void> {
  const config = loadAgentConfig({ environment: process.env, flags })
  const { settings } = config
  const logger = pino({ level: settings.logLevel, base: { agent: settings.pod } })
  logger.info({ version: VERSION, settings: redactedSettings(settings) }, 'starting')
  const agent = await Agent.create(config, logger)
  const life = agent.run()
  // The drain has its own limits; the kubelet's grace period is the last one.
  closeWithGrace({ delay: false, logger: false }, async ({ err, signal }) => {
    if (err !== undefined) {
      logger.fatal({ err }, 'an unexpected error ends the agent')
      return
    }
    logger.info({ signal }, 'stopping')
    agent.sigterm()
    await life
    logger.info('stopped')
  })
  await life
}

/** The command line: a flag for every setting. */
function agentCommand(): Command {
  const command = new Command('agent').description('the sidecar of one member').version(VERSION)
  for (const name of agentSettingNames) {
    const { description } = AgentSettings.properties[name] as { description?: string }
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    command.addOption(new Option(`--${flag} <value>`, description))
  }
  command.addCommand(secretsCommand())
  return command.action(async (flags: Record<string, unknown>) => {
    await runAgent(flags)
  })
}

// No top-level await: the bundle is CommonJS.
agentCommand()
  .parseAsync()
  .catch((error: unknown) => {
    if (!(error instanceof AgentError)) throw error
    process.stderr.write(`quorate agent: ${error.code}: ${error.message}\n`)
    process.exit(CONFIG_EXIT)
  })

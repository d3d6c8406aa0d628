import { readFileSync } from 'node:fs'
import { AgentError, messageOf } from './errors.ts'

/** What a file of a mounted Secret holds; '' where no file is named. Throws AGENT_CONFIG_INVALID. */
export function readSecretFile(path: string): string {
  if (path === '') return ''
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new AgentError('AGENT_CONFIG_INVALID', messageOf(error))
  }
}

import { AgentError } from '../errors.ts'

/** What the shell of the container would not take as it stands. */
const SAFE_LINE = /^[\w.,:/=@\-[\] ]*$/

/** The line of a permit, which a shell splits into words. Throws AGENT_CONFIG_INVALID. */
export function safeLine(line: string): string {
  if (!SAFE_LINE.test(line)) throw new AgentError('AGENT_CONFIG_INVALID', `unsafe: ${line}`)
  return line
}

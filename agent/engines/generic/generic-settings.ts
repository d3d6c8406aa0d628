import { text } from '../../setting.ts'

/** What the agent of any other engine is told beside what all agents are told. */
export const genericSettings = {
  generic: text('How the engine is asked, told and started, as JSON (docs/generic.md)'),
  genericFiles: text('Where its files are rendered', '/run/quorate/files'),
  genericSecrets: text('Directory whose files are the facts secret.NAME; none when empty'),
}

import { AgentError, messageOf } from '../../errors.ts'
import type { GenericDocument, GenericRequest } from './generic-document.ts'

/** What the engine answered to all that it is asked at each look. */
export interface HealthLook {
  readonly answers: boolean
  readonly alive: boolean
  readonly ready: boolean
  /** Why it is not ready; '' when it is. */
  readonly reason: string
  /** 'unknown' where roles are told apart and it told none. */
  readonly role: string
}

/** Asks one request; `patterns` are answers that are waited for beside the one it expects. */
export type Asker = (request: GenericRequest, patterns?: readonly RegExp[]) => Promise<string>

/** Of an engine without roles. */
const MEMBER = 'member'

type Answer = { readonly text: string } | { readonly trouble: string }

/** Asks for everything at once, and the same thing only once. */
export async function lookAtHealth(
  { health, role }: Pick<GenericDocument, 'health' | 'role'>,
  ask: Asker,
): Promise<HealthLook> {
  const asked = new Map<string, Promise<Answer>>()
  const once = (request: GenericRequest): Promise<Answer> => {
    const key = JSON.stringify(request)
    const answer = asked.get(key) ?? settled(ask(request))
    asked.set(key, answer)
    return answer
  }
  const { startup, liveness = startup, readiness = startup } = health
  const [started, alive, ready, named] = await Promise.all([
    once(startup),
    once(liveness),
    once(readiness),
    role === undefined ? MEMBER : roleOf(role, ask),
  ])
  const trouble = [started, ready].flatMap((answer) => ('trouble' in answer ? answer.trouble : []))
  const [reason = named === UNKNOWN ? 'it does not tell its role' : ''] = trouble
  const answers = 'text' in started
  return { answers, alive: 'text' in alive, ready: reason === '', reason, role: named }
}

const UNKNOWN = 'unknown'

async function roleOf(
  { request, roles }: NonNullable<GenericDocument['role']>,
  ask: Asker,
): Promise<string> {
  const patterns = Object.entries(roles).map(
    ([name, source]) => [name, new RegExp(source)] as const,
  )
  const waited = patterns.map(([, pattern]) => pattern)
  const answer = await settled(ask(request, waited))
  if ('trouble' in answer) return UNKNOWN
  return patterns.find(([, pattern]) => pattern.test(answer.text))?.[0] ?? UNKNOWN
}

async function settled(answer: Promise<string>): Promise<Answer> {
  try {
    return { text: await answer }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    return { trouble: messageOf(error) }
  }
}

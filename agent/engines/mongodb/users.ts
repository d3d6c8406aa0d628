import { readFileSync } from 'node:fs'
import type { Document } from 'bson'
import { AgentError, messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Fence } from '../engine.ts'
import { isRefusal, type Mongod, refusals } from './mongod.ts'

/** A user that is to be there, in the database `admin`. */
export interface WantedUser {
  readonly name: string
  readonly passwordFile: string
  readonly roles: readonly { readonly role: string; readonly db: string }[]
}

/** What the agent itself needs: the configuration of the set, and all other users. */
const AGENT_ROLES = ['clusterAdmin', 'userAdminAnyDatabase']

/** NAME=ROLE@DATABASE[+ROLE@DATABASE]:FILE; throws AGENT_CONFIG_INVALID for anything else. */
export function parseUser(text: string): WantedUser {
  const [, name = '', roles = '', passwordFile = ''] = /^([^=]+)=([^:]+):(.+)$/.exec(text) ?? []
  const parsed = roles.split('+').map((granted) => {
    const [role = '', db = ''] = granted.split('@')
    return { role, db }
  })
  if (name === '' || parsed.some(({ role, db }) => role === '' || db === '')) {
    throw new AgentError('AGENT_CONFIG_INVALID', `mongodbUsers: ${text} is no user`)
  }
  return { name, passwordFile, roles: parsed }
}

export function agentUser(name: string, passwordFile: string): WantedUser {
  return { name, passwordFile, roles: AGENT_ROLES.map((role) => ({ role, db: 'admin' })) }
}

/** The first line of the file. Throws AGENT_CONFIG_INVALID without one. */
export function readPassword(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new AgentError('AGENT_CONFIG_INVALID', messageOf(error))
  }
  const [password = ''] = text.split(/\r?\n/)
  if (password === '') throw new AgentError('AGENT_CONFIG_INVALID', `${path} holds no password`)
  return password
}

/** Makes a user with its first password; one that is there stays as it is, whoever made it. */
export async function createUser(
  { name, passwordFile, roles }: WantedUser,
  send: (command: Document, timeoutMs: number) => Promise<Document>,
  fence: Fence,
): Promise<void> {
  const command = {
    createUser: name,
    pwd: readPassword(passwordFile),
    roles,
    mechanisms: ['SCRAM-SHA-256'],
    writeConcern: { w: 'majority', wtimeout: limits.mongodbChangeMs },
  }
  fence.check()
  try {
    await send(command, 2 * limits.mongodbChangeMs)
  } catch (error) {
    if (!isRefusal(error, refusals.userExists)) throw error
  }
}

/** Names of the users that are not there. */
export async function missingUsers(
  mongod: Mongod,
  wanted: readonly WantedUser[],
): Promise<readonly string[]> {
  if (wanted.length === 0) return []
  const asked = wanted.map(({ name }) => ({ user: name, db: 'admin' }))
  const { users } = await mongod.asAgent({ usersInfo: asked })
  const found = Array.isArray(users) ? users.map((user: Document) => user['user']) : []
  return wanted.map(({ name }) => name).filter((name) => !found.includes(name))
}

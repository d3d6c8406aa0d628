import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError } from '../../errors.ts'
import { writeWhole } from '../../whole-file.ts'

const FILE = 'grastate.dat'
/** As Galera makes it. */
const MODE = 0o660
const NOBODY = '00000000-0000-0000-0000-000000000000'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What Galera keeps beside the data of a server. */
export interface Grastate {
  /** Of the cluster; '' where the data is nobody's: of a copy that was not finished, or found to differ. */
  readonly uuid: string
  /** Of the last transaction; null unless the server stopped in order. */
  readonly seqno: bigint | null
}

/** Null without a file. Throws AGENT_CONFIG_INVALID for one that Galera did not write. */
export function readGrastate(directory: string): Grastate | null {
  const path = join(directory, FILE)
  if (!existsSync(path)) return null
  const text = readFileSync(path, 'utf8')
  const uuid = /^uuid:\s*(\S+)\s*$/m.exec(text)?.[1] ?? ''
  const seqno = /^seqno:\s*(-?\d+)\s*$/m.exec(text)?.[1] ?? ''
  if (!UUID.test(uuid) || seqno === '') {
    throw new AgentError('AGENT_CONFIG_INVALID', `${path} is not what Galera writes`)
  }
  const count = BigInt(seqno)
  return { uuid: uuid === NOBODY ? '' : uuid, seqno: count < 0n ? null : count }
}

/**
 * Lets this data begin a cluster. Galera refuses that to any but the last that stopped, which it cannot know of
 * servers that were killed; whoever calls has compared them all.
 */
export function makeSafeToBootstrap(directory: string): void {
  const path = join(directory, FILE)
  const text = readFileSync(path, 'utf8')
  const safe = text.replace(/^safe_to_bootstrap:.*$/m, 'safe_to_bootstrap: 1')
  writeWhole(path, Buffer.from(safe), MODE)
}

/** Where the data ends: UUID:SEQNO, as `--wsrep-recover` says it and `--wsrep-start-position` takes it. */
export function parsePosition(
  text: string,
): { readonly uuid: string; readonly seqno: bigint } | null {
  const [, uuid = '', seqno = ''] = /^([0-9a-f-]{36}):(\d+)$/.exec(text.trim()) ?? []
  return UUID.test(uuid) && uuid !== NOBODY ? { uuid, seqno: BigInt(seqno) } : null
}

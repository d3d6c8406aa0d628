import { ErrorCode } from '../core/machine/error-code.ts'
import type { Reconfig } from '../wire/operations/reconfig.ts'
import type { ConfigLine } from './dynamic-config.ts'

/** What a reconfiguration asks for: a line for each server, by number. */
export type WantedServers = ReadonlyMap<number, ConfigLine>

/** ZooKeeper refuses fewer, unless told that a server may stand alone. */
const VOTERS_MIN = 2

/**
 * The configuration that a client wants in place of `present`, or ZooKeeper's refusal, in its order
 * (PrepRequestProcessor of 3.9.5).
 */
export function wantedServers(
  request: Reconfig,
  present: readonly ConfigLine[],
): WantedServers | ErrorCode {
  const wanted =
    request.newMembers === null
      ? incremented(request, present)
      : replaced(request.newMembers.split(/[,\n]/))
  if (typeof wanted === 'number') return wanted
  const voters = [...wanted.values()].filter((line) => line.role === 'participant')
  return voters.length < VOTERS_MIN ? ErrorCode.badArguments : wanted
}

function incremented(request: Reconfig, present: readonly ConfigLine[]): WantedServers | ErrorCode {
  const wanted = new Map(present.map((line) => [line.number, line]))
  for (const text of partsOf(request.leaving, ',')) {
    const number = numberOf(text)
    if (number === null) return ErrorCode.marshallingError
    wanted.delete(number)
  }
  for (const joiner of partsOf(request.joining, ',')) {
    const parts = partsOf(joiner, '=')
    const [key = '', spec = ''] = parts
    if (parts.length !== 2) return ErrorCode.badArguments
    const line = lineOf(key, spec)
    if (typeof line === 'number') return line
    wanted.set(line.number, line)
  }
  return wanted
}

function replaced(lines: readonly string[]): WantedServers | ErrorCode {
  const wanted = new Map<number, ConfigLine>()
  for (const text of lines.map((each) => each.trim())) {
    if (text === '') continue
    const equals = text.indexOf('=')
    const key = text.slice(0, Math.max(0, equals)).trim()
    if (!key.startsWith('server.')) return ErrorCode.badArguments
    const line = lineOf(key, text.slice(equals + 1).trim())
    if (typeof line === 'number') return line
    wanted.set(line.number, line)
  }
  return wanted
}

/** server.N=host:port:port[:role];[host:]port; without a host clients are taken on any. */
function lineOf(key: string, spec: string): ConfigLine | ErrorCode {
  const number = numberOf(key.slice(key.lastIndexOf('.') + 1))
  if (number === null) return ErrorCode.marshallingError
  const [, host, port, role = 'participant', clientHost = '0.0.0.0', clientPort] =
    /^([^|]+):(\d+):\d+(?::(participant|observer))?;(?:(.+):)?(\d+)$/.exec(spec) ?? []
  if (role !== 'participant' && role !== 'observer') return ErrorCode.badArguments
  if (host === undefined || port === undefined) return ErrorCode.badArguments
  const peerAddress = `${host}:${port}`
  return { number, peerAddress, role, clientAddress: `${clientHost}:${clientPort}` }
}

function partsOf(text: string | null, separator: string): string[] {
  const parts = (text ?? '').split(separator).map((part) => part.trim())
  return parts.filter((part) => part !== '')
}

/** As Java's Long.parseLong, but for numbers that no server has. */
function numberOf(text: string): number | null {
  return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : null
}

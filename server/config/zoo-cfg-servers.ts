import type { ListedServer } from '../ensemble/joining.ts'

/** A `server.N` line. */
export interface ServerLine extends ListedServer {
  /** An IPv6 address without its brackets. */
  readonly host: string
  readonly peerPort: number
  /** Of the part behind the semicolon; '' where it has none. */
  readonly clientHost: string
  readonly clientPort: string
  /** How many addresses the line has; the first is the one that is used. */
  readonly addresses: number
}

const FORM = 'host:port:port[:role][|host:port:port[:role]...][;[address:]port]'

/** Reads the value of `server.<name>`; a problem in words where it cannot be read. */
export function parseServer(
  name: string,
  value: string,
): ServerLine | { readonly problem: string } {
  const problem = { problem: `is not ${FORM}` }
  if (!/^\d+$/.test(name)) return problem
  const [servers = '', client, ...rest] = value.split(';')
  if (rest.length > 0) return problem
  const addresses = servers.split('|').map(parseAddress)
  const [first] = addresses
  if (first === undefined || addresses.includes(null) || first === null) return problem
  if (addresses.some((address) => address?.observer !== first.observer)) {
    return { problem: 'has addresses with different roles' }
  }
  const clientPart = parseClient(client?.trim())
  if (clientPart === null) return problem
  return { ...first, ...clientPart, name: String(BigInt(name)), addresses: addresses.length }
}

/** host:peer:election[:role]; the election port may be missing. */
function parseAddress(text: string) {
  const match = /^(\[[^\]]+\]|[^:[\]\s]+):(\d+)(?::\d+)?(?::(participant|observer))?$/i.exec(
    text.trim(),
  )
  if (match === null) return null
  const [, host = '', peerPort = '', role = ''] = match
  return {
    host: unbracketed(host),
    peerPort: Number(peerPort),
    peerAddress: `${host}:${Number(peerPort)}`,
    observer: role.toLowerCase() === 'observer',
  }
}

function parseClient(text: string | undefined) {
  if (text === undefined) return { clientHost: '', clientPort: '' }
  const match = /^(?:(\[[^\]]+\]|[^:[\]\s]+):)?(\d+)$/.exec(text)
  if (match === null) return null
  const [, clientHost = '', clientPort = ''] = match
  return { clientHost: unbracketed(clientHost), clientPort }
}

function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

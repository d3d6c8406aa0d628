import { isIP, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import type { Credentials } from '../tls/credentials.ts'

/** TLS between servers. Each side shows a certificate; the secret is proved all the same. */
export interface PeerTls {
  readonly credentials: Credentials
  /** Own links are dialled with TLS; otherwise it is only taken from others. */
  readonly dial: boolean
  /** Plain links are taken too: the first byte tells. */
  readonly shared: boolean
  /** Whether the certificate of who is dialled must be for the host that was dialled. */
  readonly verifyHost: boolean
}

/**
 * TLS over a connection that is being dialled: `secureConnect` follows when the other's certificate
 * is good, `close` when not.
 */
export function dialSecurely(plain: Socket, host: string, tls: PeerTls): TLSSocket {
  const { credentials, verifyHost } = tls
  let connected = false
  plain.once('connect', () => {
    connected = true
  })
  const socket = connect({
    socket: plain,
    ...credentials.context,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(verifyHost ? {} : { checkServerIdentity: () => undefined }),
  })
  let secured = false
  socket.once('secureConnect', () => {
    secured = true
  })
  socket.on('error', (error) => {
    // Who cannot be reached at all is no matter of TLS.
    if (connected && !secured) credentials.failed(host, error.message)
  })
  return socket
}

import { limits } from '../limits.ts'
import { secureRequest } from '../tls/secure-request.ts'
import type { HttpTls } from './tls-server.ts'

/** What the server at this address, with a scheme where that is not http, answers; rejects otherwise. */
export async function askPeer(
  httpAddress: string,
  path: string,
  tls: HttpTls | null,
): Promise<unknown> {
  if (!httpAddress.startsWith('https://')) {
    const signal = AbortSignal.timeout(limits.peerViewMsMax)
    const response = await fetch(`http://${httpAddress}${path}`, { signal })
    return response.json()
  }
  if (tls === null) throw new Error('it speaks TLS, and this server has none for HTTP')
  const { credentials, verifyHost } = tls
  const { text } = await secureRequest(new URL(path, httpAddress), {
    method: 'GET',
    headers: {},
    timeoutMs: limits.peerViewMsMax,
    tls: {
      ...credentials.context,
      ...(verifyHost ? {} : { checkServerIdentity: () => undefined }),
    },
  })
  return JSON.parse(text)
}

import type { Settings } from './config/schema.ts'

/** Where others find the server of these settings: what the configuration of the ensemble says of it. */
export function advertisedAddresses(settings: Settings) {
  const { advertisedHost, peerPort, clientPort, secureClientPort, httpPort, httpTls } = settings
  return {
    peerAddress: `${advertisedHost}:${peerPort}`,
    clientAddress: `${advertisedHost}:${clientPort || secureClientPort}`,
    httpAddress:
      httpPort === 0 ? '' : `${httpTls === 'only' ? 'https://' : ''}${advertisedHost}:${httpPort}`,
  }
}

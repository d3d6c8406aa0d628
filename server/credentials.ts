import type { Logger } from 'pino'
import type { Config } from './config/config.ts'
import type { TlsChoice } from './config/tls-options.ts'
import { limits } from './limits.ts'
import { Credentials } from './tls/credentials.ts'

/** Certificates and keys of each kind of connection; null without TLS. */
export interface OpenedCredentials {
  readonly client: Credentials | null
  readonly peer: Credentials | null
  readonly http: Credentials | null
  /** Those that there are, by their kind. */
  readonly all: ReadonlyMap<string, Credentials>
}

/** Reads the files, and looks at them now and then. Rejects with TLS_UNUSABLE. */
export async function openCredentials(config: Config, logger: Logger): Promise<OpenedCredentials> {
  const all = new Map<string, Credentials>()
  const open = async (name: 'client' | 'peer' | 'http', choice: TlsChoice | null) => {
    if (choice === null) return null
    const credentials = await Credentials.open({
      ...choice,
      name,
      pollMs: limits.tlsPollMs,
      log: (level, message, fields) => logger[level](fields, message),
    })
    credentials.watch()
    all.set(name, credentials)
    return credentials
  }
  return {
    client: await open('client', config.clientTls),
    peer: await open('peer', config.peerTls),
    http: await open('http', config.httpTls),
    all,
  }
}

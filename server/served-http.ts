import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { Audit } from './audit/audit.ts'
import type { Config } from './config/config.ts'
import type { Settings } from './config/schema.ts'
import type { OpenedCredentials } from './credentials.ts'
import type { Ensemble } from './ensemble/ensemble.ts'
import { buildApp } from './http/app.ts'
import type { App } from './http/app-instance.ts'
import type { Authorisation } from './http/authorisation.ts'
import type { HttpTls } from './http/tls-server.ts'
import { limits } from './limits.ts'
import type { Listener } from './listener/listener.ts'
import { durationsOf, figuresOf } from './listener/word-context.ts'
import { buildMetrics } from './metrics/metrics.ts'
import type { Credentials } from './tls/credentials.ts'
import type { TcpTransport } from './transport/tcp-transport.ts'

/** What the HTTP side shows of the server, and acts on. */
export interface HttpParts {
  readonly config: Config
  readonly logger: Logger
  readonly ensemble: Ensemble
  readonly listener: Listener
  readonly startedAtMs: number
  readonly transport: () => TcpTransport | null
  readonly credentials: OpenedCredentials
  readonly audit: Audit
}

/** The HTTP side of a server with these settings; `openHttp` opens its port. */
export function buildHttp(parts: HttpParts): Promise<App> {
  const { config, logger, ensemble, listener, startedAtMs, transport, credentials, audit } = parts
  const { settings, authenticator } = config
  const { wordContext } = listener
  const metrics = buildMetrics({
    ensemble,
    listener: () => figuresOf(wordContext),
    durations: durationsOf(wordContext),
    tls: credentials.all,
    transport: () => transport() ?? { droppedFrames: 0, refusedLinks: 0, silentLinks: 0 },
    startedAtMs,
    nowMs: () => performance.now(),
  })
  return buildApp({
    ensemble,
    metrics,
    commands: wordContext,
    commandPath: settings.httpCommandPath,
    logger,
    audit,
    tls: httpTlsOf(settings, credentials.http),
    authorisation: authorisationOf(settings),
    authenticator,
    apiTimeoutMs: settings.apiTimeoutMs,
    forwardTimeoutMs: settings.forwardTimeoutMs,
    requestMsMax: limits.httpRequestMsMax,
    idleMs: settings.httpIdleMs,
    bodyBytesMax: settings.frameBytesMax,
    refusedBody: { bytesMax: limits.refusedBodyBytesMax, msMax: limits.refusedBodyMsMax },
    keyBytesMax: limits.keyBytesMax,
    eventLoopDelayMsMax: limits.eventLoopDelayMsMax,
    connectionsMax: limits.httpConnectionsMax,
    pageDirectory: join(dirname(fileURLToPath(import.meta.url)), 'ui'),
  })
}

export async function openHttp(app: App, { httpHost, httpPort }: Settings): Promise<void> {
  await app.listen({ host: httpHost === '' ? everywhere() : httpHost, port: httpPort })
}

function authorisationOf({ httpAuth: mode, httpToken: token }: Settings): Authorisation {
  return mode === 'token' || mode === 'certificate' ? { mode, token } : { mode }
}

function httpTlsOf(settings: Settings, credentials: Credentials | null): HttpTls | null {
  if (credentials === null) return null
  return {
    credentials,
    shared: settings.httpTls === 'shared',
    handshakeTimeoutMs: limits.tlsHandshakeMs,
    superSubject: settings.superSubject,
    verifyHost: settings.peerTlsVerifyHost,
  }
}

/** All addresses; a machine whose kernel has no IPv6 cannot listen on `::`. */
function everywhere(): string {
  const all = Object.values(networkInterfaces()).flat()
  return all.some((address) => address?.family === 'IPv6') ? '::' : '0.0.0.0'
}

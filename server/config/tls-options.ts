import { readFileSync } from 'node:fs'
import { CodedError } from '../errors.ts'
import type { ClientAuth } from '../tls/credentials.ts'
import type { TlsFiles, TlsPolicy } from '../tls/stores.ts'
import type { Settings } from './schema.ts'
import type { tlsSecretSettings } from './tls-settings.ts'

/** What the settings say of one kind of TLS connection. */
export interface TlsChoice {
  readonly files: TlsFiles
  readonly policy: TlsPolicy
  readonly clientAuth: ClientAuth
}

/** TLS of clients; null when nothing of it is on. Throws CONFIG_INVALID. */
export function clientTlsOf(settings: Settings): TlsChoice | null {
  const { secureClientPort, clientPortUnification } = settings
  if (secureClientPort === 0 && !clientPortUnification) return null
  const { tlsCertificateFile: certificateFile, tlsKeyFile: keyFile, tlsCaFile: caFile } = settings
  needed('tlsCertificateFile', certificateFile)
  const clientAuth = settings.tlsClientAuth
  // Node would fall back on the authorities of the public web.
  if (clientAuth !== 'none') needed('tlsCaFile', caFile, `, as tlsClientAuth is ${clientAuth}`)
  const { tlsVersionMin: versionMin, tlsCiphers: ciphers } = settings
  return {
    files: {
      certificateFile,
      certificateType: settings.tlsCertificateType,
      keyFile,
      keyPassword: passwordOf(settings, 'tlsKeyPassword'),
      ...clientAuthorities(settings),
    },
    policy: { versionMin, ciphers },
    clientAuth,
  }
}

/** TLS between servers; null when it is off. Throws CONFIG_INVALID. */
export function peerTlsOf(settings: Settings): TlsChoice | null {
  if (!settings.peerTls && !settings.peerPortUnification) return null
  // Who dials looks at the other's certificate whatever peerTlsClientAuth is.
  return { ...peerFilesOf(settings, 'peerTls'), clientAuth: settings.peerTlsClientAuth }
}

/** TLS of HTTP, as the AdminServer has it: with the files between servers. Throws CONFIG_INVALID. */
export function httpTlsOf(settings: Settings): TlsChoice | null {
  const { httpTls, httpPort, httpTlsClientAuth: clientAuth, httpAuth } = settings
  const on = httpTls !== 'off' && httpPort !== 0
  if (httpAuth === 'certificate' && !(on && clientAuth !== 'none')) {
    const needs = 'needs httpTls and an httpTlsClientAuth other than none'
    throw new CodedError('CONFIG_INVALID', `httpAuth: certificate ${needs}`)
  }
  if (!on) return null
  return {
    ...peerFilesOf(settings, clientAuth === 'none' ? null : 'httpTlsClientAuth'),
    clientAuth,
  }
}

/** Those of clients where there are none for the peers; `trusting` is the setting that needs authorities. */
function peerFilesOf(settings: Settings, trusting: string | null): Omit<TlsChoice, 'clientAuth'> {
  const own = settings.peerTlsCertificateFile !== ''
  const certificateFile = own ? settings.peerTlsCertificateFile : settings.tlsCertificateFile
  const caFile = settings.peerTlsCaFile === '' ? settings.tlsCaFile : settings.peerTlsCaFile
  needed('peerTlsCertificateFile', certificateFile)
  if (trusting !== null) needed('peerTlsCaFile', caFile, ` of ${trusting}`)
  const { peerTlsVersionMin: versionMin, peerTlsCiphers: ciphers } = settings
  return {
    files: {
      certificateFile,
      certificateType: own ? settings.peerTlsCertificateType : settings.tlsCertificateType,
      keyFile: own ? settings.peerTlsKeyFile : settings.tlsKeyFile,
      keyPassword: passwordOf(settings, own ? 'peerTlsKeyPassword' : 'tlsKeyPassword'),
      ...(settings.peerTlsCaFile === '' ? clientAuthorities(settings) : peerAuthorities(settings)),
    },
    policy: { versionMin, ciphers },
  }
}

function clientAuthorities(settings: Settings) {
  const { tlsCaFile: caFile, tlsCaType: caType } = settings
  return { caFile, caType, caPassword: passwordOf(settings, 'tlsCaPassword') }
}

function peerAuthorities(settings: Settings) {
  const { peerTlsCaFile: caFile, peerTlsCaType: caType } = settings
  return { caFile, caType, caPassword: passwordOf(settings, 'peerTlsCaPassword') }
}

function needed(setting: string, value: string, why = ''): void {
  if (value === '') throw new CodedError('CONFIG_INVALID', `${setting}: is needed for TLS${why}`)
}

function passwordOf(settings: Settings, name: (typeof tlsSecretSettings)[number]): string {
  const fileSetting = `${name}File` as const
  const file = settings[fileSetting]
  if (file === '') return settings[name]
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CodedError('CONFIG_UNREADABLE', `${fileSetting}: ${reason}`)
  }
}

import type { AuthScheme } from '../listener/authentication.ts'
import type { SettingName } from './schema.ts'

/** Keys about authentication that are one of our settings. */
export const authenticationKeys: Readonly<Record<string, SettingName>> = {
  'DigestAuthenticationProvider.superDigest': 'superDigest',
  'DigestAuthenticationProvider.digestAlg': 'digestAlgorithm',
  'java.security.auth.login.config': 'saslUsersFile',
  'sasl.serverconfig': 'saslSection',
  superUser: 'saslSuperUsers',
  'SASLAuthenticationProvider.superPassword': 'saslSuperPassword',
  allowSaslFailedClients: 'allowSaslFailedClients',
  'enforce.auth.schemes': 'enforcedAuthSchemes',
  ensembleAuthName: 'ensembleNames',
  skipACL: 'skipAcl',
}

/** ZooKeeper's own providers; the last two are always there. */
const PROVIDERS: Readonly<Record<string, AuthScheme | null>> = {
  SASLAuthenticationProvider: 'sasl',
  X509AuthenticationProvider: 'x509',
  EnsembleAuthenticationProvider: 'ensemble',
  DigestAuthenticationProvider: 'digest',
  IPAuthenticationProvider: null,
}
const PACKAGE = 'org.apache.zookeeper.server.auth.'
const PROVIDER_KEY = 'authProvider.'
const SUPER_USER_KEY = 'superUser.'

/** Read together, by authenticationOf. */
const READ = new Set([
  'DigestAuthenticationProvider.enabled',
  'enforce.auth.enabled',
  'sessionRequireClientSASLAuth',
])

type Entries = ReadonlyMap<string, string>

/** Whether a key is understood here though it is no setting by itself. */
export function isAuthenticationKey(key: string, value: string): boolean {
  if (key.startsWith(PROVIDER_KEY)) return providerOf(value) !== undefined
  return READ.has(key) || key.startsWith(SUPER_USER_KEY)
}

function providerOf(className: string): AuthScheme | null | undefined {
  return className.startsWith(PACKAGE) ? PROVIDERS[className.slice(PACKAGE.length)] : undefined
}

/** The value of one key as its setting has it. */
export function authenticationValue(key: string, value: string): unknown {
  if (key === 'skipACL') return value === 'yes'
  return key === 'allowSaslFailedClients' ? isTrue(value) : value
}

/** The settings that come of several keys together, each with the key to blame. */
export function authenticationOf(
  entries: Entries,
): ReadonlyMap<SettingName, { readonly key: string; readonly value: unknown }> {
  const settings = new Map<SettingName, { key: string; value: unknown }>()
  const schemes = schemesOf(entries)
  if (schemes !== null) settings.set('authSchemes', { key: PROVIDER_KEY, value: schemes })
  const superUsers = [...entries].filter(
    ([key]) => key === 'superUser' || key.startsWith(SUPER_USER_KEY),
  )
  const [first] = superUsers
  if (first !== undefined) {
    settings.set('saslSuperUsers', { key: first[0], value: superUsers.map(([, user]) => user) })
  }
  if (isTrue(entries.get('sessionRequireClientSASLAuth'))) {
    settings.set('enforcedAuthSchemes', { key: 'sessionRequireClientSASLAuth', value: ['sasl'] })
  } else if (entries.has('enforce.auth.enabled') || entries.has('enforce.auth.schemes')) {
    const enabled = isTrue(entries.get('enforce.auth.enabled'))
    const value = enabled ? (entries.get('enforce.auth.schemes') ?? '') : []
    settings.set('enforcedAuthSchemes', { key: 'enforce.auth.schemes', value })
  }
  return settings
}

/** Null where no key is about them. */
function schemesOf(entries: Entries): AuthScheme[] | null {
  const schemes = new Set<AuthScheme>()
  const enabled = entries.get('DigestAuthenticationProvider.enabled')
  if (enabled === undefined || isTrue(enabled)) schemes.add('digest')
  let named = enabled !== undefined
  for (const [key, value] of entries) {
    if (!key.startsWith(PROVIDER_KEY)) continue
    const scheme = providerOf(value)
    if (scheme) schemes.add(scheme)
    named = true
  }
  return named ? [...schemes] : null
}

/** As Java's Boolean.parseBoolean. */
function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true'
}

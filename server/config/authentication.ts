import { readFileSync } from 'node:fs'
import { CodedError } from '../errors.ts'
import type { Authenticator, AuthScheme } from '../listener/authentication.ts'
import { type JaasModule, parseJaas } from './jaas.ts'
import type { Settings } from './schema.ts'

/** Hashes that both Java and Node have, by Node's name. */
const DIGESTS = new Set(
  'md5 sha1 sha224 sha256 sha384 sha512 sha512-224 sha512-256 sha3-224 sha3-256 sha3-384 sha3-512'.split(
    ' ',
  ),
)

/** The user whose password may be given by a setting, as in ZooKeeper. */
const SUPER_USER = 'super'
const USER_PREFIX = 'user_'
const DEFAULT_SECTION = 'Server'

/**
 * How clients prove who they are. Throws CONFIG_INVALID or CONFIG_UNREADABLE. `withTls` says whether
 * clients may come over TLS, by which a certificate is an identity.
 */
export function authenticatorOf(settings: Settings, withTls: boolean): Authenticator {
  const { superDigest, skipAcl, allowSaslFailedClients } = settings
  const saslUsers = saslUsersOf(settings)
  const schemes = new Set<AuthScheme>(settings.authSchemes)
  if (withTls) schemes.add('x509')
  if (saslUsers !== null) schemes.add('sasl')
  checkEnforced(settings, schemes, saslUsers !== null)
  return {
    schemes,
    digestAlgorithm: digestAlgorithmOf(settings.digestAlgorithm),
    superDigest: superDigest === '' ? null : superDigest,
    saslUsers,
    saslSuperUsers: new Set(settings.saslSuperUsers),
    allowSaslFailedClients,
    enforcedSchemes: new Set(settings.enforcedAuthSchemes),
    ensembleNames: new Set(settings.ensembleNames),
    skipAcl,
  }
}

/** Java takes SHA-1, SHA1 and SHA for the same, in any case. */
function digestAlgorithmOf(name: string): string {
  const [, family, bits, rest] =
    /^(MD5|SHA3|SHA)-?(\d*)([/]\d+)?$/.exec(name.toUpperCase().replace('SHA-3', 'SHA3')) ?? []
  const size = bits === '' && family === 'SHA' ? '1' : (bits ?? '')
  const ours = `${family ?? ''}${family === 'SHA3' ? '-' : ''}${size}${(rest ?? '').replace('/', '-')}`
  const algorithm = ours.toLowerCase()
  if (DIGESTS.has(algorithm)) return algorithm
  throw invalid(`digestAlgorithm: ${name} is none of ${[...DIGESTS].join(', ').toUpperCase()}`)
}

function checkEnforced(
  { enforcedAuthSchemes }: Settings,
  schemes: ReadonlySet<AuthScheme>,
  hasUsers: boolean,
): void {
  const available = ['ip', ...schemes].filter((scheme) => scheme !== 'ensemble')
  for (const scheme of enforcedAuthSchemes) {
    if (available.includes(scheme) && (scheme !== 'sasl' || hasUsers)) continue
    const what = scheme === 'sasl' ? 'sasl needs saslUsersFile' : `"${scheme}" is not available`
    throw invalid(`enforcedAuthSchemes: ${what}; no client could be served`)
  }
}

function saslUsersOf(settings: Settings): ReadonlyMap<string, string> | null {
  const { saslUsersFile: file, saslSection: section, saslSuperPassword } = settings
  if (file === '') return null
  const modules = sectionsOf(file).get(section)
  if (modules === undefined) {
    // As in ZooKeeper: a file that is about other programs alone leaves the server without sasl.
    if (section === DEFAULT_SECTION) return null
    throw invalid(`saslUsersFile: ${file} has no section ${section}`)
  }
  const users = usersOf(modules)
  if (users.size === 0) {
    const kerberos = modules.some(({ className }) => className.endsWith('Krb5LoginModule'))
    const why = kerberos
      ? 'is for GSSAPI (Kerberos), which is not there: sasl is DIGEST-MD5'
      : 'has no user: an option user_NAME="password" of DigestLoginModule'
    throw invalid(`saslUsersFile: section ${section} of ${file} ${why}`)
  }
  if (saslSuperPassword !== '' && users.has(SUPER_USER)) users.set(SUPER_USER, saslSuperPassword)
  return users
}

function usersOf(modules: readonly JaasModule[]): Map<string, string> {
  const options = modules.flatMap((module) => [...module.options])
  return new Map(
    options.flatMap(([key, password]): [string, string][] =>
      key.startsWith(USER_PREFIX) ? [[key.slice(USER_PREFIX.length), password]] : [],
    ),
  )
}

function sectionsOf(file: string): ReturnType<typeof parseJaas> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new CodedError('CONFIG_UNREADABLE', `saslUsersFile: ${reasonOf(error)}`)
  }
  try {
    return parseJaas(text)
  } catch (error) {
    throw invalid(`saslUsersFile: ${file}, ${reasonOf(error)}`)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function invalid(message: string): CodedError {
  return new CodedError('CONFIG_INVALID', message)
}

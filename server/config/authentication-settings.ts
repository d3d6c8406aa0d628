import { Type } from 'typebox'
import { AUTH_SCHEMES } from '../listener/authentication.ts'

const text = (description: string) => Type.String({ default: '', description })
const off = (description: string) => Type.Boolean({ default: false, description })
const list = (description: string) => Type.Array(Type.String(), { default: [], description })

/** How clients prove who they are; a part of the schema. */
export const authenticationSettings = {
  authSchemes: Type.Array(Type.Union(AUTH_SCHEMES.map((scheme) => Type.Literal(scheme))), {
    default: ['digest'],
    description:
      'How clients may authenticate beside their address: digest, x509, sasl, ensemble; x509 comes with TLS and sasl with saslUsersFile anyway',
  }),
  superDigest: text('user:base64(hash(user:password)) of the superuser, by digestAlgorithm'),
  digestAlgorithm: Type.String({
    minLength: 1,
    default: 'SHA1',
    description: "The digest scheme's hash, as Java names it: MD5, SHA1, SHA-256, SHA3-512, ...",
  }),
  saslUsersFile: text('JAAS file with the users of sasl (DIGEST-MD5), read at the start'),
  saslSection: Type.String({
    minLength: 1,
    default: 'Server',
    description: 'Section of that file that has the users',
  }),
  saslSuperUsers: list('Users of sasl who may do everything'),
  saslSuperPassword: text("Password of sasl's user super, in place of the file's"),
  allowSaslFailedClients: off('A client that fails at sasl keeps its connection'),
  enforcedAuthSchemes: list(
    'Nothing is answered to a client before it has authenticated by one of these; empty: no such demand',
  ),
  ensembleNames: list('Names that the scheme ensemble takes for its own; empty: any'),
  skipAcl: off('ACLs are not checked: everybody may do everything'),
}

/** Settings whose value is never printed. */
export const authenticationSecrets = ['superDigest', 'saslSuperPassword'] as const

import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { AgentError } from '../../errors.ts'
import { podHost } from '../../pod-host.ts'
import type { EngineSetup } from '../kinds.ts'
import { MongodFiles } from './files.ts'
import { Mongod, type MongodTls } from './mongod.ts'
import { MongodbEngine } from './mongodb-engine.ts'
import { Places, splitPlace } from './places.ts'
import { agentUser, parseUser, readPassword } from './users.ts'

/** A member of a replica set, by the agent's settings. Throws AGENT_CONFIG_INVALID. */
export function mongodbEngine({ config, disk, logger, nowMs }: EngineSetup): MongodbEngine {
  const { settings, ordinal } = config
  const { mongodbKeyFile, mongodbTlsCaFile: caFile } = settings
  if (mongodbKeyFile === '') throw new AgentError('AGENT_CONFIG_INVALID', 'mongodbKeyFile is empty')
  const port = settings.mongodbPort
  const { mongodbTlsCertificateFile: certificateFile, mongodbTlsKeyFile: keyFile } = settings
  const tlsFiles = caFile === '' ? null : { caFile, certificateFile, keyFile }
  const credentials = () => ({
    user: settings.mongodbAgentUser,
    password: readPassword(settings.mongodbAgentPasswordFile),
  })
  // A file that is not there is told of now, and not at the first login.
  credentials()
  const places = new Places({
    set: settings.set,
    port,
    given: settings.mongodbHosts,
    dnsName: (other) => podHost(config, other),
  })
  const tlsFor = (serverName: string) =>
    tlsFiles &&
    ((): MongodTls => ({ ca: readFileSync(caFile, 'utf8'), cert: '', key: '', serverName }))
  const at = (place: string) => {
    const { host, port: other } = splitPlace(place)
    return new Mongod({ host, port: other, tls: tlsFor(host), credentials })
  }
  const ownName = splitPlace(places.of(ordinal)).host
  return new MongodbEngine({
    disk,
    dataDirectory: settings.dataDirectory,
    files: new MongodFiles({
      keyFile: mongodbKeyFile,
      tls: tlsFiles,
      directory: dirname(settings.permitPipe),
    }),
    // To localhost: the first user can be made from there alone.
    local: new Mongod({ host: settings.engineHost, port, tls: tlsFor(ownName), credentials }),
    at,
    places,
    pod: settings.pod,
    ordinal,
    replicaSet: settings.mongodbReplicaSet,
    tls: tlsFiles !== null,
    port,
    agent: agentUser(settings.mongodbAgentUser, settings.mongodbAgentPasswordFile),
    users: settings.mongodbUsers.map(parseUser),
    nowMs,
    warn: (message) => logger.warn(message),
  })
}

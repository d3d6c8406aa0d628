import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { parseProperties } from '../config/zoo-cfg.ts'
import { tlsValue } from '../config/zoo-cfg-tls.ts'
import { openStores } from '../tls/stores.ts'
import { CommandFailure } from './command-failure.ts'

/**
 * TLS as the file of zkCli's `-client-configuration` says it, in ZooKeeper's own properties; null when
 * it does not ask for TLS (`zookeeper.client.secure`). Throws a CommandFailure or TLS_UNUSABLE.
 */
export function readClientConfiguration(path: string): ConnectionOptions | null {
  const properties = parseProperties(read(path).toString('utf8'))
  const value = (key: string) => properties.get(`zookeeper.${key}`) ?? ''
  if (value('client.secure') !== 'true') return null
  const caFile = value('ssl.trustStore.location')
  const certificateFile = value('ssl.keyStore.location')
  const common: ConnectionOptions = {
    ...(value('ssl.hostnameVerification') === 'false'
      ? { checkServerIdentity: () => undefined }
      : {}),
    ...(caFile === '' ? {} : { ca: read(caFile) }),
  }
  if (certificateFile === '') return common
  const passwordFile = value('ssl.keyStore.passwordPath')
  const { context } = openStores(
    {
      certificateFile,
      keyFile: '',
      caFile,
      keyPassword:
        passwordFile === ''
          ? value('ssl.keyStore.password')
          : read(passwordFile).toString('utf8').trim(),
    },
    {
      certificate: read(certificateFile),
      key: null,
      ca: caFile === '' ? null : read(caFile),
    },
    { versionMin: 'TLSv1.2', ciphers: tlsValue('tlsCiphers', value('ssl.ciphersuites')) },
  )
  return { ...context, ...common }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error))
  }
}

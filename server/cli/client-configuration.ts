import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { parseProperties } from '../config/java-properties.ts'
import { tlsValue } from '../config/zoo-cfg-tls.ts'
import {
  openStores,
  readStores,
  STORE_TYPES,
  type StoreType,
  type TlsFiles,
} from '../tls/stores.ts'
import { CommandFailure } from './command-failure.ts'

/**
 * TLS as the file of zkCli's `-client-configuration` says it, in ZooKeeper's own properties; null when
 * it does not ask for TLS (`zookeeper.client.secure`). Rejects with a CommandFailure or TLS_UNUSABLE.
 */
export async function readClientConfiguration(path: string): Promise<ConnectionOptions | null> {
  const properties = parseProperties(path, read(path).toString('utf8'))
  const value = (key: string) => properties.get(`zookeeper.${key}`) ?? ''
  if (value('client.secure') !== 'true') return null
  const password = (key: string) => {
    const file = value(`${key}Path`)
    return file === '' ? value(key) : read(file).toString('utf8').trim()
  }
  const typeOf = (key: string): StoreType => {
    const given = tlsValue('tlsCaType', value(key))
    const type = STORE_TYPES.find((known) => known === given)
    if (type === undefined) throw new CommandFailure(`${key}: ${given} is not PEM, PKCS12 or JKS`)
    return type
  }
  const files: TlsFiles = {
    certificateFile: value('ssl.keyStore.location'),
    certificateType: typeOf('ssl.keyStore.type'),
    // ZooKeeper's PEM stores are certificate and key in one file; secrets of Kubernetes hold them apart.
    keyFile: properties.get('quorate.tlsKeyFile') ?? '',
    keyPassword: password('ssl.keyStore.password'),
    caFile: value('ssl.trustStore.location'),
    caType: typeOf('ssl.trustStore.type'),
    caPassword: password('ssl.trustStore.password'),
  }
  const ciphers = tlsValue('tlsCiphers', value('ssl.ciphersuites'))
  const { context } = await openStores(files, await readStores(files), {
    versionMin: 'TLSv1.2',
    ciphers,
  })
  const anyHost = value('ssl.hostnameVerification') === 'false'
  return { ...context, ...(anyHost ? { checkServerIdentity: () => undefined } : {}) }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error))
  }
}

import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll } from 'vitest'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import type { EnsembleOptions } from '../support/server-ensemble.ts'
import { zookeeperEnsemble } from '../support/zookeeper-process.ts'
import type { Supports, Target } from './suite/target.ts'

const makers = { zookeeper: zookeeperEnsemble, quorate: quorateEnsemble }

export type ServerName = keyof typeof makers

export const supports: Readonly<Record<ServerName, Supports>> = {
  zookeeper: {
    wrongPasswordIsHarmless: false,
    truncatedWrites: false,
    serverOpcodesRefused: false,
    badTtlRefused: false,
    claimsAtOnce: false,
  },
  quorate: {
    wrongPasswordIsHarmless: true,
    truncatedWrites: true,
    serverOpcodesRefused: true,
    badTtlRefused: true,
    claimsAtOnce: true,
  },
}

const superDigest = `super:${createHash('sha1').update('super:secret').digest('base64')}`

/** super:secret is the superuser. */
export const superDigestSettings = { 'DigestAuthenticationProvider.superDigest': superDigest }

/** An ensemble for the tests of one `describe`; its output is printed after a test that failed. */
export function ensembleFor(name: ServerName, options: EnsembleOptions = { servers: 3 }): Target {
  let ensemble: ServerEnsemble | undefined
  beforeAll(async () => {
    ensemble = await makers[name](options)
    await ensemble.start()
  }, 180_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(ensemble?.logs())
  })
  afterAll(async () => {
    await ensemble?.stop()
  })
  return {
    name,
    ensemble: () => {
      if (ensemble === undefined) throw new Error(`${name} was not started`)
      return ensemble
    },
  }
}

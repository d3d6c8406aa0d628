import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { suite } from './suite.ts'
import { Testbed } from './testbed.ts'

/** Helm 4: the program that HELM4 names, else the one in the cache of the tests. */
const cache = process.env['QUORATE_TEST_CACHE'] ?? join(homedir(), '.cache', 'quorate-test')
const helm4 = process.env['HELM4'] ?? join(cache, 'helm4', 'helm')

const versions: readonly [string, readonly string[]][] = [
  ['helm 3', ['helm']],
  ['helm 4', process.env['TESTBED_RUN'] ? [Testbed.find()?.reach ?? '', helm4] : [helm4]],
]

for (const [version, command] of versions) {
  const missing = version === 'helm 4' && !existsSync(helm4)
  const title = missing ? `${version} (it is missing: name it in HELM4)` : version
  describe.skipIf(missing).sequential(title, { timeout: 420_000 }, () => {
    const { namespace, release } = suite(version.replace(' ', ''))
    const replicas = () => namespace.kubectl('get', release.set, '-o', 'jsonpath={.spec.replicas}')

    it('installs, tests, and keeps the number of servers when replicaCount is null', async () => {
      release.helmCommand = command
      await release.install()
      await release.rolledOut()
      await release.helm('test', release.name)
      await release.install('--set', 'server.replicaCount=null')
      expect(await replicas()).toBe('3')
      await namespace.kubectl('scale', release.set, '--replicas=4')
      await release.install('--set', 'server.replicaCount=null')
      expect(await replicas()).toBe('4')
      await release.rolledOut()
      await release.hasMembers(4)
    })

    it('upgrades, rolls back and uninstalls, and keeps claims and secret', async () => {
      await release.install(
        '--set',
        'server.replicaCount=null',
        '--set',
        'server.config.snapshotRequests=50001',
      )
      await release.rolledOut(360)
      await release.helm('rollback', release.name)
      await release.rolledOut(360)
      await release.helm('uninstall', release.name)
      const kept = await namespace.kubectl('get', 'pvc,secret', '-o', 'name')
      expect(kept).toContain(`data-${release.name}-0`)
      expect(kept).toContain(`secret/${release.name}-auth`)
    })
  })
}

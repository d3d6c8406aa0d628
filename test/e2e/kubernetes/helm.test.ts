import { describe, expect, it } from 'vitest'
import { helmVersions } from './helm-versions.ts'
import { suite } from './suite.ts'

for (const { version, command, missing } of helmVersions) {
  const title = missing === null ? version : `${version} (${missing})`
  describe.skipIf(missing !== null).sequential(title, { timeout: 420_000 }, () => {
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

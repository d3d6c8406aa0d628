import { describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { suite } from './suite.ts'

describe.sequential('first installs and installs over what is left', { timeout: 900_000 }, () => {
  const { namespace, release } = suite('installs')
  const record = `${release.name}-forming`

  const phase = async () =>
    (await namespace.tryKubectl('get', 'configmap', record, '-o', 'yaml')).stdout
  const containers = async (ordinal: number) =>
    (await namespace.tryKubectl('logs', `${release.name}-${ordinal}`, '--all-containers')).stdout

  /** Moments of an install, from the first to the last, at which a pod is killed. */
  const moments: readonly [string, number, () => Promise<boolean>][] = [
    ['the pod of ordinal 0 is there', 0, async () => (await release.pods()).length > 0],
    ['the agent of ordinal 0 runs', 0, async () => (await containers(0)) !== ''],
    ['the agent of ordinal 1 runs', 1, async () => (await containers(1)) !== ''],
    ['the agent of ordinal 2 runs', 2, async () => (await containers(2)) !== ''],
    ['the record is written', 0, async () => (await phase()) !== ''],
    ['the record is written', 1, async () => (await phase()) !== ''],
    ['ordinal 0 answers', 0, async () => (await release.view(0)).members.length >= 1],
    ['ordinal 0 has a second member', 0, async () => (await release.view(0)).members.length >= 2],
    ['the record is formed', 2, async () => (await phase()).includes('formed')],
    ['the record is formed', 0, async () => (await phase()).includes('formed')],
  ]

  for (const [moment, ordinal, reached] of moments) {
    it(`forms one cluster though ordinal ${ordinal} is killed when ${moment}`, async () => {
      await empty()
      await release.install()
      await waitFor(moment, reached, 120_000)
      const pod = await waitFor('the pod', () => release.pod(ordinal))
      await release.deletePod(ordinal, '--grace-period=0', '--force')
      await release.replaced(ordinal, pod.metadata.uid, 240_000)
      await isOneCluster()
    })
  }

  it('keeps the data when it is installed again on the volumes of before', async () => {
    await release.zk(0, 'create', '/kept', 'yes')
    const before = await release.view()
    await uninstall()
    await release.install()
    await isOneCluster()
    expect(await release.zk(1, 'get', '/kept')).toBe('yes')
    expect((await release.view()).clusterId).toBe(before.clusterId)
  })

  it('makes a new cluster when the volumes were deleted', async () => {
    const before = await release.view()
    await empty()
    await release.install()
    await isOneCluster()
    expect((await release.view()).clusterId).not.toBe(before.clusterId)
    expect(await release.zk(0, 'ls', '/')).not.toContain('kept')
  })

  async function uninstall(): Promise<void> {
    await release.helm('uninstall', release.name, '--ignore-not-found')
    await waitFor('the pods are gone', async () => (await release.pods()).length === 0, 360_000)
  }

  async function empty(): Promise<void> {
    await uninstall()
    await release.deleteClaims()
  }

  async function isOneCluster(): Promise<void> {
    await release.rolledOut()
    await release.hasMembers(3)
    const views = await Promise.all([0, 1, 2].map((ordinal) => release.view(ordinal)))
    expect(new Set(views.map(({ clusterId }) => clusterId)).size).toBe(1)
    const members = await Promise.all([0, 1, 2].map((ordinal) => release.memberIds(ordinal)))
    expect(new Set(members.map(String)).size).toBe(1)
  }
})

import { afterAll, describe, expect, it } from 'vitest'
import { CertificateAuthority } from '../../support/certificates.ts'
import { waitFor } from '../../support/wait-for.ts'
import type { Release } from './cluster.ts'
import { suite } from './suite.ts'

const SECRET = 'quorate-certificates'

describe.sequential('with TLS alone', { timeout: 420_000 }, () => {
  const { namespace, release } = suite('tls')
  const authority = new CertificateAuthority()

  afterAll(() => authority.remove())

  /** One certificate for all servers and what dials them, as cert-manager would keep it. */
  async function issue(): Promise<void> {
    const domain = `${namespace.name}.svc.cluster.local`
    const names = [`*.${release.name}-hs.${domain}`, `${release.name}-cs.${domain}`]
    const { certificate, key } = authority.issue({
      subject: '/CN=quorate',
      names: names.map((name) => `DNS:${name}`).join(),
    })
    const files = [
      `--from-file=tls.crt=${certificate}`,
      `--from-file=tls.key=${key}`,
      `--from-file=ca.crt=${authority.certificate}`,
    ]
    const text = await namespace.kubectl(
      ...['create', 'secret', 'generic', SECRET, ...files, '--dry-run=client', '-o', 'json'],
    )
    await namespace.apply(JSON.parse(text) as object)
  }

  const secure = () =>
    release.install(
      ...['--set', `server.tls.existingSecret=${SECRET}`, '--set', 'server.tls.plainClients=false'],
      ...['--set', 'server.tls.peers=require'],
    )

  it('installs, forms, and passes its own test', async () => {
    await issue()
    await secure()
    await release.rolledOut()
    await release.hasMembers(3)
    await release.helm('test', release.name)
  })

  it('serves zkCli.sh in a pod, and nobody on the plain port', async () => {
    expect(await release.zk(0, 'create', '/hello', 'world')).toBe('Created /hello')
    expect(await release.zk(1, 'get', '/hello')).toBe('world')
    const plain = ['exec', `${release.name}-0`, '--', 'nc', '127.0.0.1', '2181']
    expect((await namespace.tryKubectl(...plain)).code).not.toBe(0)
  })

  it('has its members published with the secure port, by agents that use it', async () => {
    const root = `/members/v1/services/${release.name}`
    await waitFor('three members', async () => {
      const text = await release.zk(0, 'ls', root)
      return release.names(3).every((name) => text.includes(name))
    })
    const document: unknown = JSON.parse(await release.zk(0, 'get', `${root}/${release.name}-1`))
    expect(document).toMatchObject({ port: null, sslPort: 2281, serviceEndpoint: { port: 2281 } })
  })

  it('scales and restarts', async () => {
    await namespace.kubectl('scale', release.set, '--replicas=4')
    await release.rolledOut()
    await release.hasMembers(4)
    await namespace.kubectl('scale', release.set, '--replicas=3')
    await release.hasMembers(3)
    await namespace.kubectl('rollout', 'restart', release.set)
    await release.rolledOut(360)
    expect(await release.zk(2, 'get', '/hello')).toBe('world')
  })

  it('takes renewed certificates without a restart', async () => {
    const before = await uids(release)
    await issue()
    for (const ordinal of [0, 1, 2]) {
      await waitFor(
        `server ${ordinal} has the new certificate`,
        async () => {
          const metrics = await release.exec(
            ordinal,
            'wget',
            '-qO-',
            'http://127.0.0.1:8080/metrics',
          )
          return /^quorate_tls_reloads_total\{for="client"\} [1-9]/m.test(metrics)
        },
        180_000,
      )
    }
    expect(await release.zk(0, 'get', '/hello')).toBe('world')
    expect(await uids(release)).toEqual(before)
    expect(await Promise.all([0, 1, 2].map((ordinal) => release.restarts(ordinal)))).toEqual([
      0, 0, 0,
    ])
  })
})

async function uids(release: Release): Promise<string[]> {
  return (await release.pods()).map(({ metadata }) => metadata.uid).sort()
}

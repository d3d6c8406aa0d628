import { describe, expect, it } from 'vitest'
import { Release } from './cluster.ts'
import { suite } from './suite.ts'

const VALUES = ['--values', 'charts/quorate/ci/raftkeeper-values.yaml']

/** The lines of RaftKeeper's Kubernetes page, with helm in the place of the manifest's URL. */
describe.sequential('the walkthrough of RaftKeeper', { timeout: 420_000 }, () => {
  const { namespace, release } = suite('rk', (inside) => new Release(inside, 'rk', VALUES, 8102))
  const type = (line: string) => namespace.kubectl(...line.split(' '))

  /** What `kubectl get pods -w` is watched for. */
  async function podsAreRunning(): Promise<void> {
    await release.rolledOut()
    const rows = (await type('get pods -l app=rk --no-headers')).split('\n').sort()
    expect(rows.map((row) => row.split(/\s+/).slice(0, 3).join(' '))).toEqual([
      'rk-0 2/2 Running',
      'rk-1 2/2 Running',
      'rk-2 2/2 Running',
    ])
  }

  it('creates the ensemble', async () => {
    await release.install()
    await podsAreRunning()
  })

  it('passes the sanity test', async () => {
    const created = await type('exec rk-0 -- zkCli.sh -server localhost:8101 create /hello world')
    expect(created).toContain('Created /hello')
    expect(await type('exec rk-1 -- zkCli.sh get /hello')).toContain('world')
  })

  it('keeps the data when the StatefulSet is deleted and applied again', async () => {
    await type('delete statefulset rk')
    await namespace.kubectl('wait', '--for=delete', 'pod', '-l', 'app=rk', '--timeout=360s')
    await release.install()
    await podsAreRunning()
    const hello = await type('exec rk-2 -- zkCli.sh -server localhost:8101 get /hello')
    expect(hello).toContain('world')
  })

  it('lists its claims and its budget', async () => {
    const claims = await type('get pvc -l app=rk --no-headers -o custom-columns=:metadata.name')
    expect(claims.split('\n').sort()).toEqual([
      'datadir-rk-0',
      'datadir-rk-1',
      'datadir-rk-2',
      'logdir-rk-0',
      'logdir-rk-1',
      'logdir-rk-2',
    ])
    const budget = await type('get pdb rk-pdb --no-headers')
    expect(budget.split(/\s+/).slice(0, 4).join(' ')).toBe('rk-pdb N/A 1 1')
    expect(await type('get svc rk-hs rk-cs -o name')).toBe('service/rk-hs\nservice/rk-cs')
  })

  it('answers ruok', async () => {
    const words = ['sh', '-c', 'echo ruok | nc 127.0.0.1 8101']
    expect(await release.exec(0, ...words)).toBe('imok')
  })
})

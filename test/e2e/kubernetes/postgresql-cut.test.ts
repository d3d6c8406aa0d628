import { beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { cablesHealed, hasCables, titleWithCables } from './cables.ts'
import { Release } from './cluster.ts'
import { Dependent } from './dependent.ts'
import { PostgresqlSubject, PostgresqlWrites, STAND_IN } from './postgresql-subject.ts'
import { suite } from './suite.ts'

const NAME = 'postgresql-cut'
/** Patroni's ttl, which the chart sets, and the time for an election and for the Service to follow. */
const FAILOVER_MS_MAX = 50_000

const title = titleWithCables('the primary cut off')

describe.skipIf(!hasCables).sequential(title, { timeout: 600_000 }, () => {
  const values = ['--values', 'charts/quorate/ci/postgresql-values.yaml', ...STAND_IN]
  const { release } = suite(NAME, (space) => new Release(space, NAME, values))
  const dependent = new Dependent(release, 'postgresql')
  const subject = new PostgresqlSubject(dependent, null)
  const { load } = subject
  const cables = cablesHealed()

  beforeAll(async () => {
    await release.install()
    await dependent.ready(3, 600)
  }, 660_000)

  it('is never a second writable primary, and follows the new one when it is back', async () => {
    const former = await subject.leader()
    const restarts = await dependent.restarts(3)
    const { spec, status } = await dependent.pod(former)
    const others = (await dependent.pods()).map((pod) => pod.spec.nodeName)
    await load.start(others.find((node) => node !== spec.nodeName))
    // Beside the primary, where the cut does not reach, and content with the primary alone.
    const beside = new PostgresqlWrites(dependent, subject, {
      pod: 'postgresql-writes-beside',
      host: status.podIP ?? '',
      table: 'writes_beside',
      commit: 'local',
      tls: null,
    })
    await beside.start(spec.nodeName)
    const from = (await load.acknowledged()).length

    const cutAtMs = Date.now()
    cables.cut(spec.nodeName)
    await load.goesOn(2 * FAILOVER_MS_MAX)
    const leader = await waitFor('a new leader', async () => {
      const cluster = await subject.cluster(`${dependent.name}-${former}`)
      return cluster.find(({ role, state }) => role === 'leader' && state === 'running')
    })
    expect(leader.name).not.toBe(`${dependent.name}-${former}`)
    const healedAtMs = Date.now()
    await cables.heal()

    const times = (await load.acknowledged()).slice(from).map(({ atMs }) => atMs)
    const ofTheNewMs = times.find((atMs) => atMs > cutAtMs + 1_000) ?? Number.POSITIVE_INFINITY
    const alone = (await beside.acknowledged()).filter(({ atMs }) => atMs > cutAtMs + 1_000)
    const ofTheFormerMs = Math.max(cutAtMs, ...alone.map(({ atMs }) => atMs))
    console.log(
      `cut off: the former wrote ${alone.length} rows alone for ${ofTheFormerMs - cutAtMs} ms, ` +
        `the new one from ${ofTheNewMs - cutAtMs} ms on`,
    )
    // It was a primary on its own for a while, or nothing was tested here, and none when the other began.
    expect(alone.length).toBeGreaterThan(0)
    expect(ofTheFormerMs).toBeLessThan(ofTheNewMs)
    expect(ofTheNewMs - cutAtMs).toBeLessThan(FAILOVER_MS_MAX)

    await waitFor('it follows', async () => (await subject.members()).length === 3, 180_000)
    await dependent.ready(3)
    console.log(`it follows ${Date.now() - healedAtMs} ms after the cable is back`)
    expect(await subject.leader()).not.toBe(former)
    expect(await load.lost()).toEqual([])
    // What it took alone is gone: it was rewound to where the new one began.
    const rows = (await subject.sql(former, 'select key from writes_beside')).split('\n')
    expect(rows.filter((row) => alone.some(({ key }) => key === row))).toEqual([])
    expect(await dependent.restarts(3)).toEqual(restarts)
    const recovering = await Promise.all(
      [0, 1, 2].map((ordinal) => subject.sql(ordinal, 'select pg_is_in_recovery()')),
    )
    const primary = await subject.leader()
    expect(recovering).toEqual([0, 1, 2].map((ordinal) => (ordinal === primary ? 'f' : 't')))
  })
})

import { beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { Release } from './cluster.ts'
import { Dependent } from './dependent.ts'
import { PostgresqlSubject, STAND_IN } from './postgresql-subject.ts'
import { suite } from './suite.ts'

const NAME = 'postgresql-services'
/** For how long Patroni keeps the slot of a member that is gone: as short as a test can wait. */
const SLOTS_SECONDS = 30

describe.sequential('what stands around PostgreSQL', { timeout: 600_000 }, () => {
  const values = [
    ...['--values', 'charts/quorate/ci/postgresql-values.yaml', ...STAND_IN],
    ...['--set', `postgresql.config.bootstrap.dcs.member_slots_ttl=${SLOTS_SECONDS}`],
  ]
  const { namespace, release } = suite(NAME, (space) => new Release(space, NAME, values))
  const dependent = new Dependent(release, 'postgresql')
  const subject = new PostgresqlSubject(dependent, null)

  beforeAll(async () => {
    await release.install()
    await dependent.ready(3, 600)
  }, 660_000)

  /** The ordinals of the pods to which a Service sends its clients. */
  async function behind(suffix: 'rw' | 'ro'): Promise<number[]> {
    const selector = `kubernetes.io/service-name=${dependent.name}-${suffix}`
    const { items } = await namespace.json<{ items: readonly EndpointSlice[] }>(
      'endpointslices',
      '-l',
      selector,
    )
    return items
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions.ready)
      .map(({ targetRef }) => dependent.ordinalOf(targetRef.name))
      .sort((one, other) => one - other)
  }

  async function followsTheRole(): Promise<void> {
    await waitFor(
      'one Service has the primary, the other its standbys',
      async () => {
        const leader = await subject.leader()
        const [rw, ro] = await Promise.all([behind('rw'), behind('ro')])
        const standbys = [0, 1, 2].filter((ordinal) => ordinal !== leader)
        if (rw.join() === String(leader) && ro.join() === standbys.join()) return true
        throw new Error(`${leader} leads; -rw has ${rw}, -ro has ${ro}`)
      },
      60_000,
    )
  }

  const password = async () => {
    const { data } = await namespace.json<{ data: Readonly<Record<string, string>> }>(
      'secret',
      `${dependent.name}-auth`,
    )
    return data
  }

  it('sends those who write to the primary, and those who read to its standbys', async () => {
    await followsTheRole()
    const before = await subject.leader()
    await namespace.kubectl('delete', 'pod', `${dependent.name}-${before}`, '--wait=false')
    await waitFor('another one leads', async () => (await subject.leader()) !== before, 60_000)
    await dependent.ready(3)
    await followsTheRole()
  })

  it('keeps neither key nor slot of a member that was removed', async () => {
    const members = () => release.zk(0, 'ls', `/service/${dependent.name}/members`)
    const slotsOf = (ordinal: number) =>
      subject.sql(
        ordinal,
        "select slot_name from pg_replication_slots where slot_name like '%\\_3'",
      )
    await dependent.scale(4)
    await dependent.ready(4)
    await waitFor('it has a slot', async () => (await slotsOf(await subject.leader())) !== '')
    expect(await members()).toContain(`${dependent.name}-3`)
    await dependent.scale(3)
    await dependent.ready(3)
    await waitFor('its key is gone', async () => !(await members()).includes(`${dependent.name}-3`))
    await waitFor(
      'nobody has its slot',
      async () => (await Promise.all([0, 1, 2].map(slotsOf))).every((slots) => slots === ''),
      240_000,
    )
  })

  it('has the same passwords after an upgrade, and when it is installed again', async () => {
    const before = await password()
    expect(Object.keys(before).sort()).toEqual([
      'patroni-password',
      'replication-password',
      'superuser-password',
    ])
    await release.install('--set-string', 'postgresql.podAnnotations.again=1')
    expect(await password()).toEqual(before)
    await dependent.ready(3)
    await release.helm('uninstall', release.name, '--wait', '--timeout=6m')
    expect(await password()).toEqual(before)
    await release.install()
    expect(await password()).toEqual(before)
    await dependent.ready(3, 600)
    await subject.load.start()
    expect(await subject.load.lost()).toEqual([])
  })
})

interface EndpointSlice {
  readonly endpoints:
    | readonly {
        readonly conditions: { readonly ready?: boolean }
        readonly targetRef: { readonly name: string }
      }[]
    | null
}

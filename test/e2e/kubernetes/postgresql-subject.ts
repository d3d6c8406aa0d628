import { AcknowledgedWrites } from './acknowledged-writes.ts'
import type { Dependent } from './dependent.ts'
import type { Story, Subject } from './dependent-story.ts'

const CERTIFICATES_AT = '/certificates'

/**
 * The image that stands in for Spilo: Debian's PostgreSQL 15 under the newest Patroni, with Spilo's variables for
 * the tree, the passwords and the configuration. It has none for certificates.
 */
export const STAND_IN = [
  ...['--set', 'postgresql.image.repository=zalando/spilo-17'],
  ...['--set', 'postgresql.image.tag=4.0-p2'],
]

const AUTHENTICATION = [
  'local all all trust',
  // The agent's own connection.
  'host all all 127.0.0.1/32 md5',
  'hostssl replication standby all md5',
  'hostssl all all all md5',
]

/** What Spilo makes of SSL_CERTIFICATE_FILE and its like: nobody else is let in without TLS. */
export const STAND_IN_TLS = [
  ...Object.entries({
    ssl: 'on',
    ssl_ca_file: '/etc/quorate-tls/ca.crt',
    ssl_cert_file: '/etc/quorate-tls/tls.crt',
    ssl_key_file: '/etc/quorate-tls/tls.key',
  }).flatMap(([name, value]) => [
    '--set-string',
    `postgresql.config.postgresql.parameters.${name}=${value}`,
  ]),
  '--set-json',
  `postgresql.config.postgresql.pg_hba=${JSON.stringify(AUTHENTICATION)}`,
]

/** What all stories of PostgreSQL have in common. */
export const POSTGRESQL: Pick<Story, 'component' | 'plannedGapMsMax' | 'subject'> = {
  component: 'postgresql',
  // A switchover: the primary stops, a standby is promoted, the Service follows its label.
  plannedGapMsMax: 15_000,
  subject: (dependent, tls) => new PostgresqlSubject(dependent, tls),
}

/** A line of Patroni's `/cluster`. */
interface PatroniMember {
  readonly name: string
  readonly role: string
  readonly state: string
}

/** PostgreSQL as its own tools see it: Patroni's REST API, and the views of the primary. */
export class PostgresqlSubject implements Subject {
  readonly load: PostgresqlWrites
  readonly #dependent: Dependent

  constructor(dependent: Dependent, tls: string | null) {
    this.#dependent = dependent
    const host = `${dependent.name}-rw.${dependent.namespace.name}.svc.cluster.local`
    const writing = { pod: 'postgresql-writes', host, table: 'writes', commit: 'on', tls } as const
    this.load = new PostgresqlWrites(dependent, this, writing)
  }

  /** The primary, and those that stream from it and that Patroni knows as members that run. */
  async members(): Promise<number[]> {
    const cluster = await this.cluster()
    const leader = leaderOf(cluster)
    const text = await this.sql(
      this.#dependent.ordinalOf(leader.name),
      "select application_name from pg_stat_replication where state = 'streaming'",
    )
    const streaming = new Set([leader.name, ...text.split('\n')])
    return cluster
      .filter(({ name, state }) => streaming.has(name) && /^(running|streaming)$/.test(state))
      .map(({ name }) => this.#dependent.ordinalOf(name))
      .sort((one, other) => one - other)
  }

  async leader(): Promise<number> {
    return this.#dependent.ordinalOf(leaderOf(await this.cluster()).name)
  }

  /** A standby that no commit waits for: without the tree Patroni cannot choose another such one. */
  async spare(): Promise<number> {
    const spare = (await this.cluster()).find(
      ({ role, state }) => role === 'replica' && state === 'streaming',
    )
    if (spare === undefined) throw new Error('there is no standby but synchronous ones')
    return this.#dependent.ordinalOf(spare.name)
  }

  async clusterId(): Promise<string> {
    return this.sql(await this.leader(), 'select system_identifier from pg_control_system()')
  }

  /** What Patroni has in the tree. */
  async onRecord(): Promise<string> {
    const { release, name } = this.#dependent
    return await release.zk(0, 'get', `/service/${name}/initialize`)
  }

  /** Asked in a pod, as the user that may do anything; a line for each row. */
  async sql(ordinal: number, query: string): Promise<string> {
    const psql = ['psql', '-U', 'postgres', '-d', 'postgres', '-Atc', query]
    return await this.#dependent.exec(ordinal, ...psql)
  }

  /** What the first pod whose Patroni answers says of the cluster; one that is `unreachable` is not asked. */
  async cluster(unreachable = ''): Promise<readonly PatroniMember[]> {
    let last: unknown
    for (const { metadata } of await this.#dependent.pods()) {
      if (metadata.name === unreachable) continue
      try {
        const get = ['wget', '-qO-', '-T', '5', 'http://127.0.0.1:8008/cluster']
        const where = [metadata.name, '-c', 'agent']
        const text = await this.#dependent.namespace.kubectl('exec', ...where, '--', ...get)
        return (JSON.parse(text) as { members: PatroniMember[] }).members
      } catch (error) {
        last = error
      }
    }
    throw last
  }
}

/** Where rows are written, and how. */
interface Writing {
  readonly pod: string
  readonly host: string
  readonly table: string
  /** PostgreSQL's synchronous_commit: `local` waits for no standby. */
  readonly commit: 'on' | 'local'
  /** Secret with the certificate of the authority; null: in plain text. */
  readonly tls: string | null
}

/** Rows written by a pod; those of a story know the primary by its Service alone. */
export class PostgresqlWrites extends AcknowledgedWrites {
  readonly #dependent: Dependent
  readonly #subject: PostgresqlSubject
  readonly #writing: Writing

  constructor(dependent: Dependent, subject: PostgresqlSubject, writing: Writing) {
    super(dependent.namespace, writing.pod)
    this.#dependent = dependent
    this.#subject = subject
    this.#writing = writing
  }

  async start(node?: string): Promise<void> {
    const { host, table, commit, tls } = this.#writing
    const secret = { name: `${this.#dependent.name}-auth`, key: 'superuser-password' }
    const ca = tls === null ? [] : [{ name: 'CA_FILE', value: `${CERTIFICATES_AT}/ca.crt` }]
    const env = [
      { name: 'HOST', value: host },
      { name: 'TABLE', value: table },
      { name: 'COMMIT', value: commit },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: secret } },
      ...ca,
    ]
    await this.namespace.startProgram(this.pod, 'postgresql-writes', env, 'Running', {
      ...(node === undefined ? {} : { nodeName: node }),
      ...(tls === null ? {} : certificatesOf(tls)),
    })
    await this.goesOn()
  }

  /** What the primary has. */
  protected async present(): Promise<ReadonlySet<string>> {
    const leader = await this.#subject.leader()
    const rows = await this.#subject.sql(leader, `select key from ${this.#writing.table}`)
    return new Set(rows.split('\n'))
  }
}

const certificatesOf = (secretName: string) => ({
  volumes: [{ name: 'certificates', secret: { secretName } }],
  mounts: [{ name: 'certificates', mountPath: CERTIFICATES_AT, readOnly: true }],
})

function leaderOf(cluster: readonly PatroniMember[]): PatroniMember {
  const leaders = cluster.filter(({ role, state }) => role === 'leader' && state === 'running')
  const [leader] = leaders
  if (leader === undefined || leaders.length > 1) {
    throw new Error(`leaders: ${JSON.stringify(cluster)}`)
  }
  return leader
}

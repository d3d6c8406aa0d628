import { AcknowledgedWrites } from './acknowledged-writes.ts'
import type { Dependent } from './dependent.ts'
import type { Story, Subject } from './dependent-story.ts'

const CERTIFICATES_AT = '/certificates'

/** The image that stands in for the official one: Debian's MariaDB 10.11 with Galera 4. */
export const GALERA_VALUES = [
  ...['--values', 'charts/quorate/ci/galera-values.yaml'],
  ...['--set', 'server.replicaCount=3'],
  ...['--set-string', 'galera.image.tag=10.11'],
]

/** What all stories of Galera have in common. */
export const GALERA: Pick<Story, 'component' | 'plannedGapMsMax' | 'subject'> = {
  component: 'galera',
  // Clients of a member that stops go to another; the others write on.
  plannedGapMsMax: 15_000,
  subject: (dependent, tls) => new GaleraSubject(dependent, tls),
}

/** Galera as its servers answer their own client. */
class GaleraSubject implements Subject {
  readonly load: GaleraWrites
  readonly #dependent: Dependent

  constructor(dependent: Dependent, tls: string | null) {
    this.#dependent = dependent
    this.load = new GaleraWrites(dependent, this, tls)
  }

  /** All that the first one which answers counts; it is an error if one of them is not synced. */
  async members(): Promise<number[]> {
    const rows = (await this.#fromAny('SHOW WSREP_MEMBERSHIP')).split('\n')
    const ordinals = rows.map((row) => this.#dependent.ordinalOf(row.split('\t')[2] ?? ''))
    for (const ordinal of ordinals) {
      const state = await this.#status(ordinal, 'wsrep_local_state_comment')
      if (state !== 'Synced') throw new Error(`${ordinal} is ${state}`)
    }
    return ordinals.sort((one, other) => one - other)
  }

  /** Nobody leads: the first one is as good as any. */
  async leader(): Promise<number> {
    return 0
  }

  async spare(): Promise<number> {
    return 1
  }

  async clusterId(): Promise<string> {
    const [, uuid = ''] = (
      await this.#fromAny("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_state_uuid'")
    ).split('\t')
    return uuid
  }

  /** Asked in a pod, as root; a line for each row. */
  async sql(ordinal: number, query: string): Promise<string> {
    const script = [
      'MYSQL_PWD=$(cat /etc/quorate-secrets/root-password) exec mariadb --no-defaults',
      '--socket=/run/quorate/mariadb.sock --user=root --batch --skip-column-names -e "$0"',
    ].join(' ')
    return await this.#dependent.exec(ordinal, 'bash', '-c', script, query)
  }

  async #status(ordinal: number, name: string): Promise<string> {
    const [, value = ''] = (await this.sql(ordinal, `SHOW GLOBAL STATUS LIKE '${name}'`)).split(
      '\t',
    )
    return value.trim()
  }

  async #fromAny(query: string): Promise<string> {
    let last: unknown
    for (const { metadata } of await this.#dependent.pods()) {
      try {
        return (await this.sql(this.#dependent.ordinalOf(metadata.name), query)).trim()
      } catch (error) {
        last = error
      }
    }
    throw last
  }
}

/** Rows written by a pod that knows the members by their Service alone. */
class GaleraWrites extends AcknowledgedWrites {
  readonly #dependent: Dependent
  readonly #subject: GaleraSubject
  readonly #tls: string | null

  constructor(dependent: Dependent, subject: GaleraSubject, tls: string | null) {
    super(dependent.namespace, 'galera-writes')
    this.#dependent = dependent
    this.#subject = subject
    this.#tls = tls
  }

  async start(node?: string): Promise<void> {
    const { name } = this.#dependent
    const host = `${name}-cs.${this.namespace.name}.svc.cluster.local`
    const secret = { name: `${name}-auth`, key: 'app-password' }
    const tls = this.#tls
    const env = [
      { name: 'HOST', value: host },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: secret } },
      ...(tls === null ? [] : [{ name: 'CA_FILE', value: `${CERTIFICATES_AT}/ca.crt` }]),
    ]
    await this.namespace.startProgram(this.pod, 'galera-writes', env, 'Running', {
      ...(node === undefined ? {} : { nodeName: node }),
      ...(tls === null ? {} : certificatesOf(tls)),
    })
    await this.goesOn()
  }

  /** What a member has, when all that was acknowledged before has come to it. */
  protected async present(ordinal: number): Promise<ReadonlySet<string>> {
    const query = 'SET SESSION wsrep_sync_wait = 1; SELECT name FROM app.writes'
    return new Set((await this.#subject.sql(ordinal, query)).split('\n'))
  }
}

const certificatesOf = (secretName: string) => ({
  volumes: [{ name: 'certificates', secret: { secretName } }],
  mounts: [{ name: 'certificates', mountPath: CERTIFICATES_AT, readOnly: true }],
})

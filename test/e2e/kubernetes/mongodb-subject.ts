import { waitFor } from '../../support/wait-for.ts'
import { AcknowledgedWrites } from './acknowledged-writes.ts'
import { BuiltImage } from './built-image.ts'
import type { Dependent } from './dependent.ts'
import type { Story, Subject } from './dependent-story.ts'

const CERTIFICATES_AT = '/certificates'
const DOUBLE = new BuiltImage('QUORATE_E2E_MONGOD_IMAGE', 'localhost/quorate-mongod-double:1')

/** A small replica set of the double of mongod: no MongoDB is to be had where these tests run. */
export const DOUBLE_VALUES = [
  ...['--values', 'charts/quorate/ci/mongodb-values.yaml'],
  ...DOUBLE.values('mongodb.image'),
]

/** What all stories of MongoDB have in common. */
export const MONGODB: Pick<Story, 'component' | 'plannedGapMsMax' | 'subject'> = {
  component: 'mongodb',
  // A primary steps down to a member that has everything, and drivers have to find that one.
  plannedGapMsMax: 15_000,
  subject: (dependent, tls) => new MongodbSubject(dependent, tls),
}

/** Gives the double's image to every node, unless QUORATE_E2E_MONGOD_IMAGE names one that they can pull. */
export function provideDouble(): void {
  DOUBLE.provideDouble('mongodb', 'mongod.mjs', ['Dockerfile'])
}

interface ConfigMember {
  readonly _id: number
  readonly host: string
  readonly votes: number
  readonly priority: number
}

interface SetConfig {
  readonly config: {
    readonly version: number
    readonly members: readonly ConfigMember[]
    readonly settings: { readonly replicaSetId: string }
  }
}

interface SetStatus {
  readonly members: readonly { readonly name: string; readonly stateStr: string }[]
}

/** While there is no primary, and on a machine that is busy with nine members. */
const ANSWERS_WITHIN_MS = 180_000
const SERVING = ['PRIMARY', 'SECONDARY']

/** A replica set as its primary answers MongoDB's official driver, which a pod beside it runs. */
export class MongodbSubject implements Subject {
  readonly load: MongodbWrites
  readonly #dependent: Dependent
  readonly #tls: string | null
  #runs = false

  constructor(dependent: Dependent, tls: string | null = null) {
    this.#dependent = dependent
    this.#tls = tls
    this.load = new MongodbWrites(dependent, this, tls)
  }

  /** All that are listed; it is an error if one of them does not serve. */
  async members(): Promise<number[]> {
    const { members } = await this.#status()
    const idle = members.filter(({ stateStr }) => !SERVING.includes(stateStr))
    if (idle.length > 0) {
      throw new Error(`of ${members.length} ${idle.map((row) => `${row.name} is ${row.stateStr}`)}`)
    }
    const listed = (await this.configured()).map(({ host }) => this.#ordinal(host))
    return listed.sort((one, other) => one - other)
  }

  async leader(): Promise<number> {
    return await this.#first('PRIMARY')
  }

  async spare(): Promise<number> {
    return await this.#first('SECONDARY')
  }

  async clusterId(): Promise<string> {
    return (await this.#config()).config.settings.replicaSetId
  }

  /** Of the configuration. */
  async version(): Promise<number> {
    return (await this.#config()).config.version
  }

  /** The members of the configuration, as they are listed there. */
  async configured(): Promise<readonly ConfigMember[]> {
    return (await this.#config()).config.members
  }

  /** The ordinals of those that vote. */
  async voters(): Promise<number[]> {
    const voters = (await this.configured()).filter(({ votes }) => votes > 0)
    return voters.map(({ host }) => this.#ordinal(host)).sort((one, other) => one - other)
  }

  async keys(): Promise<ReadonlySet<string>> {
    return new Set((await this.#ask('keys')).split('\n'))
  }

  async #first(state: string): Promise<number> {
    const row = (await this.#status()).members.find(({ stateStr }) => stateStr === state)
    if (row === undefined) throw new Error(`nobody is ${state}`)
    return this.#ordinal(row.name)
  }

  async #config(): Promise<SetConfig> {
    return JSON.parse(await this.#ask('config')) as SetConfig
  }

  async #status(): Promise<SetStatus> {
    return JSON.parse(await this.#ask('status')) as SetStatus
  }

  #ordinal(host: string): number {
    const [label = ''] = host.split('.')
    return this.#dependent.ordinalOf(label)
  }

  async #ask(what: string): Promise<string> {
    const { namespace } = this.#dependent
    const pod = 'mongodb-view'
    if (!this.#runs) {
      await startWithUri(this.#dependent, pod, 'mongodb-view', 'root', this.#tls)
      this.#runs = true
    }
    const wget = ['wget', '-qO-', '-T', '60', `http://127.0.0.1:8000/${what}`]
    return await waitFor(
      `an answer to ${what}`,
      () => namespace.kubectl('exec', pod, '--', ...wget),
      ANSWERS_WITHIN_MS,
    )
  }
}

/** Writers that have the connection string of an application. */
class MongodbWrites extends AcknowledgedWrites {
  readonly #dependent: Dependent
  readonly #subject: MongodbSubject
  readonly #tls: string | null

  constructor(dependent: Dependent, subject: MongodbSubject, tls: string | null) {
    super(dependent.namespace, 'mongodb-writes')
    this.#dependent = dependent
    this.#subject = subject
    this.#tls = tls
  }

  async start(node?: string): Promise<void> {
    await startWithUri(this.#dependent, this.pod, 'mongodb-writes', 'app', this.#tls, node)
    await this.goesOn()
  }

  /** What the primary has. */
  protected present(): Promise<ReadonlySet<string>> {
    return this.#subject.keys()
  }
}

/** Starts a program that finds the connection string of a user in its environment. */
async function startWithUri(
  { namespace, name }: Dependent,
  pod: string,
  program: string,
  user: string,
  tls: string | null,
  node?: string,
): Promise<void> {
  const secret = { name: `${name}-connection`, key: `uri-${user}` }
  const env = [
    { name: 'URI', valueFrom: { secretKeyRef: secret } },
    ...(tls === null ? [] : [{ name: 'CA_FILE', value: `${CERTIFICATES_AT}/ca.crt` }]),
  ]
  await namespace.startProgram(pod, program, env, 'Running', {
    ...(node === undefined ? {} : { nodeName: node }),
    volumes: tls === null ? [] : [{ name: 'certificates', secret: { secretName: tls } }],
    mounts:
      tls === null ? [] : [{ name: 'certificates', mountPath: CERTIFICATES_AT, readOnly: true }],
  })
}

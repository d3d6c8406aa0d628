import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An instance as the cluster's members know each other. */
export interface ClusterMember {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Its growth has ended: it has all that there was. */
  readonly linked: boolean
}

/** One statement, and in whose order it came. */
export interface Commit {
  readonly origin: string
  readonly number: number
  readonly statement: string
}

/** One repository of one server, as it lies in the root catalog. */
export interface Instance {
  readonly cluster: string
  readonly name: string
  readonly controlling: string
  members: ClusterMember[]
  /** Names that were removed: they never join again. */
  removed: string[]
  commits: Commit[]
}

/** What outlives a kill: one folder a repository in `<data>/rootcatalog`, and users in `<data>/settings/user`. */
export class InstanceStore {
  readonly #catalog: string
  readonly #users: string

  constructor(catalog: string, settings: string) {
    this.#catalog = catalog
    this.#users = join(settings, 'user')
    mkdirSync(catalog, { recursive: true })
    mkdirSync(this.#users, { recursive: true })
  }

  /** The password of a user; the first one given becomes it, as an installation's superuser. */
  passwordOf(user: string, given: string): string {
    const path = join(this.#users, user)
    if (!existsSync(path)) writeFileSync(path, given, { mode: 0o600 })
    return readFileSync(path, 'utf8')
  }

  read(repository: string): Instance | null {
    const path = join(this.#catalog, repository, 'instance.json')
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Instance) : null
  }

  write(repository: string, instance: Instance): void {
    const directory = join(this.#catalog, repository)
    mkdirSync(directory, { recursive: true })
    const path = join(directory, 'instance.json')
    writeFileSync(`${path}.tmp`, JSON.stringify(instance))
    renameSync(`${path}.tmp`, path)
  }
}

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FactOf } from '../../core/substitution.ts'
import type { ListedMember, MemberDirectory } from './member-directory.ts'

/** A cluster whose members are facts, and the role of the one that leads it; '' where none does. */
export interface KnownCluster {
  readonly directory: MemberDirectory
  readonly leader: string
}

export interface FactsOptions {
  /** Names without `self.`. */
  readonly self: Readonly<Record<'pod' | 'ordinal' | 'host' | 'port' | 'cluster', string>>
  readonly own: KnownCluster
  /** By the name that their facts begin with. */
  readonly others: Readonly<Record<string, KnownCluster>>
  /** '': there are no secrets. */
  readonly secretDirectory: string
}

/** All that templates can name: the only things that are put into files, arguments and requests. */
export class GenericFacts {
  readonly #options: FactsOptions

  constructor(options: FactsOptions) {
    this.#options = options
  }

  /** Looks at the tree where it is time to. */
  refresh(): void {
    const { own, others } = this.#options
    for (const { directory } of [own, ...Object.values(others)]) directory.refresh()
  }

  readonly of: FactOf = (name) => {
    const { self, own, others } = this.#options
    const [first = '', ...rest] = name.split('.')
    if (first === 'self') return factIn(self, rest)
    if (first === 'secret') return this.#secret(rest.join('.'))
    const other = others[first]
    return other === undefined ? clusterFact(own, [first, ...rest]) : clusterFact(other, rest)
  }

  /** The same, of a request that is about a member: it is `member.pod` and so on. */
  about(member: Readonly<Record<string, string>>): FactOf {
    return (name) => {
      const [first, ...rest] = name.split('.')
      return first === 'member' ? factIn(member, rest) : this.of(name)
    }
  }

  /**
   * Where members are that requests go to: `leader` and `members` of the own cluster, or usable members of another.
   * Null: it is not known now.
   */
  placesOf(whose: string): readonly ListedMember[] | null {
    const { own, others, self } = this.#options
    if (whose === 'leader') {
      const leader = own.directory.leader(own.leader)
      return leader === null ? null : [leader]
    }
    const { directory } = whose === 'members' ? own : (others[whose] ?? own)
    const usable = directory.members?.filter((member) => member.usable && member.pod !== self.pod)
    return usable ?? null
  }

  /** For messages: no secret is to be read in them. */
  redacted(text: string): string {
    const values = this.#secretNames().map((name) => this.#secret(name) ?? '')
    return values.reduce(
      (all, value) => (value === '' ? all : all.replaceAll(value, '(secret)')),
      text,
    )
  }

  #secret(name: string): string | null | undefined {
    if (!this.#secretNames().includes(name)) return undefined
    return readFileSync(join(this.#options.secretDirectory, name), 'utf8').trimEnd()
  }

  /** Mounted secrets have hidden folders beside their files. */
  #secretNames(): string[] {
    const { secretDirectory } = this.#options
    if (secretDirectory === '' || !existsSync(secretDirectory)) return []
    return readdirSync(secretDirectory).filter((name) => !name.startsWith('.'))
  }
}

function factIn(
  facts: Readonly<Record<string, string>>,
  rest: readonly string[],
): string | undefined {
  const [name = '', more] = rest
  return more === undefined && Object.hasOwn(facts, name) ? facts[name] : undefined
}

function clusterFact(
  { directory, leader }: KnownCluster,
  [what, field, more]: readonly string[],
): string | null | undefined {
  if (what === 'members' && field === undefined) {
    const usable = directory.members?.filter((member) => member.usable && member.port !== null)
    return usable?.map(({ host, port }) => `${host}:${port}`).join(',') ?? null
  }
  if (what !== 'leader' || leader === '' || more !== undefined) return undefined
  const member = directory.leader(leader)
  if (field === 'host') return member?.host ?? null
  if (field === 'pod') return member?.pod ?? null
  if (field === 'port') return member?.port?.toString() ?? null
  return undefined
}

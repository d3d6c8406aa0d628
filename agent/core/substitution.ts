/** What stands for the name of a fact; null: the fact is not known now. Undefined: there is no such fact. */
export type FactOf = (name: string) => string | null | undefined

/** The text with its facts put in, or why there is none. */
export type Substituted =
  | { readonly kind: 'text'; readonly text: string }
  /** A fact is not known now, and may be later. */
  | { readonly kind: 'unknown'; readonly name: string }
  /** The text itself is wrong, and stays so. */
  | { readonly kind: 'invalid'; readonly reason: string }

/** `$${` first: it stands for itself. */
const PLACE = /\$\$\{|\$\{([^}]*)\}|\$\{/g
const NAME = /^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)*$/

/**
 * Puts facts in place of `${name}`; `$${` stands for `${`. No conditions, loops or functions, and what is put in is
 * never looked at again. An unfinished place, or a name that no fact has, makes the whole text invalid: half a
 * configuration is worse than none.
 */
export function substitute(template: string, factOf: FactOf): Substituted {
  let trouble: Substituted | null = null
  const text = template.replace(PLACE, (place, name: string | undefined) => {
    if (place === '$${') return '${'
    if (trouble?.kind === 'invalid') return ''
    if (name === undefined) {
      trouble = { kind: 'invalid', reason: 'a place that begins with ${ has no end' }
      return ''
    }
    const value = NAME.test(name) ? factOf(name) : undefined
    if (value === undefined) {
      trouble = { kind: 'invalid', reason: `there is no fact \${${name.slice(0, 100)}}` }
    } else if (value === null) {
      trouble ??= { kind: 'unknown', name }
    }
    return value ?? ''
  })
  return trouble ?? { kind: 'text', text }
}

/** The names of all places of a template. */
export function placesOf(template: string): readonly string[] {
  return [...template.matchAll(PLACE)].flatMap(([, name]) => (name === undefined ? [] : [name]))
}

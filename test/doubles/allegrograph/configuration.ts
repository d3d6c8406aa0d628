/** Of agraph.cfg, what the double has. */
export interface Configuration {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly settings: string
  readonly catalog: string
}

/** A directive a line, and catalogs between tags, as the vendor's "Server configuration" has them. Throws. */
export function readConfiguration(text: string): Configuration {
  const found = new Map<string, string>()
  let section = ''
  for (const raw of text.split('\n')) {
    const line = raw.replace(/(^|[^\\])#.*$/, '$1').trim()
    const [, close = '', tag] = /^<(\/?)(\w+)>$/.exec(line) ?? []
    if (tag !== undefined) section = close === '' ? tag : ''
    const [, name, value] = /^(\w+)\s+(\S.*)$/.exec(line) ?? []
    if (name !== undefined && value !== undefined) found.set(`${section}/${name}`, value)
  }
  const one = (name: string): string => {
    const value = found.get(name)
    if (value === undefined) throw new Error(`the configuration has no ${name}`)
    return value
  }
  const [user = '', ...rest] = one('/SuperUser').split(':')
  return {
    port: Number(one('/Port')),
    user,
    password: rest.join(':'),
    settings: one('/SettingsDirectory'),
    catalog: one('RootCatalog/Main'),
  }
}

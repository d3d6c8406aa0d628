import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { defaultSettings, Settings, settingNames } from '../../../server/config/schema.ts'
import { zooCfgKeys } from '../../../server/config/zoo-cfg.ts'
import { keyGroups } from '../../../server/config/zoo-cfg-keys.ts'

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')

/** The rows of the tables of settings: seven cells each, the first a setting. */
const rows = page
  .split('\n')
  .filter((line) => /^\| `[a-zA-Z]+` \| `--/.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))

function code(value: unknown): string {
  const text = Array.isArray(value) ? value.join(',') : String(value)
  return text === '' ? 'empty' : `\`${text}\``
}

describe('docs/configuration.md', () => {
  it('has a row for every setting of the schema, and for nothing else', () => {
    expect(rows.map(([name]) => name).sort()).toEqual(settingNames.map(code).sort())
  })

  it.each(settingNames)('says the flag, variable, key, default, unit and meaning of %s', (name) => {
    const row = rows.find(([cell]) => cell === code(name))
    const [key] = Object.entries(zooCfgKeys).find(([, setting]) => setting === name) ?? []
    const unit = /Ms(Min|Max)?$/.test(name) ? 'ms' : /Bytes(Max)?$/.test(name) ? 'bytes' : ''
    expect(row).toEqual([
      code(name),
      code(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`),
      code(`QUORATE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`),
      key === undefined ? '' : code(key),
      code(defaultSettings()[name]),
      unit,
      (Settings.properties[name] as { readonly description?: string }).description,
    ])
  })
})

describe('the keys of a zoo.cfg that are no setting', () => {
  it.each(keyGroups)('$keys: the page says what there is instead', ({ keys, here, missing }) => {
    const asked = ['true', 'false', 'no'].filter((value) => missing?.test(value) === true)
    const warning =
      asked.length === 0 ? 'no' : asked.length === 3 ? 'yes' : `with ${asked.map(code).join()}`
    expect(page).toContain(`| ${keys.map(code).join(', ')} | ${here} | ${warning} |\n`)
  })

  it('have no row that the code does not know', () => {
    const [, section = ''] = page.split('### All other keys of ZooKeeper')
    const [, table = ''] = /Warning \|\n\|[-|]+\n(.*?)\n\n/s.exec(section) ?? []
    expect(table.trim().split('\n')).toHaveLength(keyGroups.length)
  })
})

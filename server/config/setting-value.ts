import { Value } from 'typebox/value'
import { type SettingName, Settings } from './schema.ts'

/**
 * The value of one setting from what was given: text is read as the setting's type, exactly (no
 * rounding, no empty text for a number). `problem` says what would be valid.
 */
export function readSetting(
  name: SettingName,
  given: unknown,
): { readonly value: unknown } | { readonly problem: string } {
  const schema = Settings.properties[name]
  const value = typed(schema, given)
  if (Value.Check(schema, value)) return { value }
  return { problem: `${JSON.stringify(given)} is not valid: ${demandOf(schema, value)}` }
}

type Schema = (typeof Settings.properties)[SettingName]

function typed(schema: Schema, given: unknown): unknown {
  if (!('type' in schema)) return given
  if (schema.type === 'string') return typeof given === 'number' ? String(given) : given
  if (typeof given !== 'string') return given
  switch (schema.type) {
    case 'integer':
      return /^-?\d+$/.test(given) ? Number(given) : given
    case 'number':
      return /^\d+(\.\d+)?$/.test(given) ? Number(given) : given
    case 'boolean':
      return given === 'true' ? true : given === 'false' ? false : given
    case 'array':
      return given.split(',').map((item) => item.trim())
  }
}

function demandOf(schema: Schema, value: unknown): string {
  if ('anyOf' in schema) {
    return `must be one of ${schema.anyOf.map((literal) => literal.const).join(', ')}`
  }
  return Value.Errors(schema, value)[0]?.message ?? 'has another type'
}

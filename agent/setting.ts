import * as Type from 'typebox'

/** Forms of settings, for config.ts and the settings of engines. */
export const port = (description: string, value: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: value, description })
export const ms = (description: string, value: number) =>
  Type.Integer({ minimum: 1, default: value, description })
export const text = (description: string, value = '') =>
  Type.String({ default: value, description })
export const list = (description: string) =>
  Type.Array(Type.String(), { default: [], description: `${description}; separated by commas` })

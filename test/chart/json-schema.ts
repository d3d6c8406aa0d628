import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string
    readonly version: string
    readonly kind: string
  }[]
}

/**
 * Writes a JSON schema for each kind that an OpenAPI document of Kubernetes has, strict: a field that
 * the kind does not have is an error. Returns the location, as kubeconform takes it.
 */
export function writeStrictSchemas(openApiFile: string, directory: string): string {
  const { definitions } = JSON.parse(readFileSync(openApiFile, 'utf8')) as {
    definitions: Record<string, Schema>
  }
  const strict = Object.entries(definitions).map(([name, schema]) => [name, strictOf(schema)])
  mkdirSync(directory, { recursive: true })
  writeFileSync(
    join(directory, 'definitions.json'),
    JSON.stringify({ definitions: Object.fromEntries(strict) }),
  )
  for (const [name, schema] of Object.entries(definitions)) {
    for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
      const prefix = group === '' ? '' : `${group.split('.')[0]}-`
      writeFileSync(
        join(directory, `${kind}-${prefix}${version}.json`.toLowerCase()),
        JSON.stringify({ $ref: `definitions.json#/definitions/${name}` }),
      )
    }
  }
  return join(directory, '{{.ResourceKind}}{{.KindSuffix}}.json')
}

function strictOf(schema: Schema): unknown {
  const { $ref, type, format, properties, items, additionalProperties } = schema
  if ($ref !== undefined) {
    // Quantities are written as numbers too, though the document calls them strings.
    if ($ref.endsWith('.resource.Quantity')) return { type: ['string', 'number', 'null'] }
    return { $ref }
  }
  if (format === 'int-or-string') return { type: ['string', 'integer', 'null'] }
  return {
    ...(type === undefined ? {} : { type: [type, 'null'] }),
    ...(items === undefined ? {} : { items: strictOf(items) }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, property]) => [name, strictOf(property)]),
          ),
        }),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: strictOf(additionalProperties) }
      : { additionalProperties: properties === undefined }),
  }
}

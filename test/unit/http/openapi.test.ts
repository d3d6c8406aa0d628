import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HttpHarness, httpHarness } from './harness.ts'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
}

interface Operation {
  readonly summary?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema: unknown }> }
  readonly responses: Record<string, { readonly description?: string }>
}

interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Record<string, Record<string, Operation>>
}

let http: HttpHarness
let document: Document
beforeAll(async () => {
  http = await httpHarness()
  document = (await http.app.inject('/openapi.json')).json()
})
afterAll(async () => {
  await http.close()
})

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )

describe('the OpenAPI document', () => {
  it('is of version 3 with a title', () => {
    expect(document.openapi).toMatch(/^3\.[01]\.\d$/)
    expect(document.info).toMatchObject({ title: 'Quorate', version: '1' })
  })

  it('has every operation, each with a summary and described responses', () => {
    const names = operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`)
    expect(names.sort()).toEqual([
      'DELETE /v1/data/{key}',
      'DELETE /v1/ensemble/members/{name}',
      'GET /commands/{*}',
      'GET /livez',
      'GET /readyz',
      'GET /v1/data/{key}',
      'GET /v1/ensemble',
      'GET /v1/ensemble/servers',
      'GET /v1/znodes/{*}',
      'POST /v1/data',
      'POST /v1/ensemble/members/{name}',
      'POST /v1/ensemble/transfer',
      'POST /v1/snapshot',
    ])
    for (const { path, method, operation } of operations()) {
      expect(operation.summary, `${method} ${path}`).toMatch(/\w/)
      expect(Object.keys(operation.responses).length).toBeGreaterThan(0)
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^([1-5]\d\d|default)$/)
        expect(typeof response.description).toBe('string')
      }
    }
  })

  it('declares each parameter of a path once, as required, and no other', () => {
    for (const { path, operation } of operations()) {
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
      const declared = (operation.parameters ?? []).filter(({ in: place }) => place === 'path')
      expect(declared.map(({ name }) => name)).toEqual(inPath)
      expect(declared.every(({ required }) => required === true)).toBe(true)
    }
  })

  it('says what a pair is', () => {
    const body = document.paths['/v1/data']?.['post']?.requestBody
    expect(body?.content['application/json']?.schema).toMatchObject({
      type: 'object',
      required: ['k', 'v'],
      additionalProperties: false,
      properties: { k: { type: 'string', minLength: 1 }, v: { type: 'string' } },
    })
  })

  it('refers only to what it holds', () => {
    const text = JSON.stringify(document)
    for (const [, pointer = ''] of text.matchAll(/"\$ref":"#([^"]+)"/g)) {
      const found = pointer
        .split('/')
        .slice(1)
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document)
      expect(found, pointer).toBeDefined()
    }
  })
})

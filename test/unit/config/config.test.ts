import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig, redacted } from '../../../server/config/config.ts'
import { defaultSettings, Settings, settingNames } from '../../../server/config/schema.ts'
import { CodedError } from '../../../server/errors.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-config-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

function load(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string>> = {},
  path?: string,
) {
  return loadConfig({ file: path, environment, flags })
}

function refusal(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof CodedError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

describe('precedence', () => {
  it('is flags, environment, file, defaults', () => {
    const path = file('a.yaml', 'bootstrap: true\nclientPort: 3\nhttpPort: 3\npeerPort: 3\n')
    const { settings } = load(
      { clientPort: '1' },
      { QUORATE_CLIENT_PORT: '2', QUORATE_HTTP_PORT: '2' },
      path,
    )
    expect([settings.clientPort, settings.httpPort, settings.peerPort]).toEqual([1, 2, 3])
    expect(settings.apiTimeoutMs).toBe(defaultSettings().apiTimeoutMs)
  })

  it('has a variable for every setting', () => {
    const variables = settingNames.map(
      (name) => `QUORATE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    )
    for (const [index, name] of settingNames.entries()) {
      const schema = Settings.properties[name]
      if (!('type' in schema) || schema.type !== 'integer') continue
      const variable = variables[index] ?? ''
      // Above every bound: the refusal names the setting that the variable is for.
      const given = { [variable]: '1e400' }
      expect(refusal(() => load({ bootstrap: true }, given))).toMatch(new RegExp(`: ${name}: `))
    }
  })

  it('reads JSON as well', () => {
    const path = file('a.json', JSON.stringify({ join: ['a:1', 'b:2'], name: 'x' }))
    const { forming, settings } = load({}, {}, path)
    expect(forming).toEqual({ kind: 'join', seeds: ['a:1', 'b:2'] })
    expect(settings.name).toBe('x')
  })
})

describe('values', () => {
  it('are read from text exactly', () => {
    const { settings } = load({
      bootstrap: 'true',
      join: 'a:1, b:2',
      name: 7,
      linearizableReads: 'false',
      fourLetterWords: '*',
    })
    expect(settings).toMatchObject({
      bootstrap: true,
      join: ['a:1', 'b:2'],
      name: '7',
      linearizableReads: false,
      fourLetterWords: ['*'],
    })
  })

  it.each([
    ['clientPort', '65536'],
    ['clientPort', ''],
    ['clientPort', '21.5'],
    ['clientPort', null],
    ['peerPort', '-1'],
    ['bootstrap', 'maybe'],
    ['httpAuth', 'basic'],
    ['logLevel', 'loud'],
    ['snapshotsKept', 1],
    ['snapshotRequests', 1],
    ['segmentBytes', 0],
    ['frameBytesMax', 0],
    ['name', ''],
    ['name', ['x']],
    ['dataDirectory', ''],
    ['electionTimeoutMs', '10'],
    ['join', 5],
  ])('are refused by name: %s %j', (name, value) => {
    const message = refusal(() => load({ bootstrap: true, [name]: value }))
    expect(message).toMatch(new RegExp(`^CONFIG_INVALID: ${name}: .* is not valid: must `))
  })

  it('say what would do, and do not print a secret', () => {
    expect(refusal(() => load({ bootstrap: true, httpAuth: 'basic' }))).toContain(
      'must be one of open, token, certificate, closed',
    )
    const message = refusal(() => load({ bootstrap: true, secret: ['hush'] }))
    expect(message).toBe('CONFIG_INVALID: secret: is not valid')
  })

  it('of an unknown setting are refused with the nearest one', () => {
    expect(refusal(() => load({ bootstrap: true, clentPort: 1 }))).toBe(
      'CONFIG_INVALID: unknown setting clentPort; did you mean clientPort?',
    )
  })
})

describe('times', () => {
  it('of elections shrink with the least session timeout, unless they are given', () => {
    const small = load({ bootstrap: true, sessionTimeoutMsMin: 1_000 })
    expect(small.settings).toMatchObject({ electionTimeoutMs: 400, heartbeatIntervalMs: 100 })
    expect([small.electionTicks, small.heartbeatTicks]).toEqual([8, 2])
    const given = load({ bootstrap: true, sessionTimeoutMsMin: 2_000, electionTimeoutMs: 1_500 })
    expect(given.settings.electionTimeoutMs).toBe(1_500)
  })

  it.each([
    ['sessionTimeoutMsMin', { electionTimeoutMs: 4_000 }],
    ['sessionTimeoutMsMax', { sessionTimeoutMsMax: 1_000 }],
    ['heartbeatIntervalMs', { electionTimeoutMs: 1_000, heartbeatIntervalMs: 501 }],
  ])('that would let two servers believe they lead are refused: %s', (name, flags) => {
    expect(refusal(() => load({ bootstrap: true, ...flags }))).toMatch(
      new RegExp(`^CONFIG_INVALID: ${name}: `),
    )
  })
})

describe('secrets', () => {
  it('come from a file, without the end of the line', () => {
    const secretFile = file('secret', 'hush\n')
    const config = load({ bootstrap: true, secretFile })
    expect([config.settings.secret, config.warnings]).toEqual(['hush', []])
  })

  it('are never shown', () => {
    const { settings } = load({
      bootstrap: true,
      secret: 'hush',
      httpAuth: 'token',
      httpToken: 'hush',
      superDigest: 'hush',
    })
    expect(JSON.stringify(redacted(settings))).not.toContain('hush')
    expect(redacted(settings)).toMatchObject({ secret: '(set)', clientPort: 2181 })
  })

  it('that are missing are warned of or refused', () => {
    expect(load({ bootstrap: true }).warnings.join()).toContain('no ensemble secret')
    const empty = file('empty', '\n')
    expect(refusal(() => load({ bootstrap: true, secretFile: empty }))).toMatch(
      /^CONFIG_INVALID: secretFile: /,
    )
    expect(refusal(() => load({ bootstrap: true, secretFile: join(directory, 'no') }))).toMatch(
      /^CONFIG_UNREADABLE: secretFile: /,
    )
    expect(refusal(() => load({ bootstrap: true, httpAuth: 'token' }))).toMatch(
      /^CONFIG_INVALID: httpToken: /,
    )
  })
})

describe('forming', () => {
  it('must be told', () => {
    expect(refusal(() => load({}))).toMatch(/^CONFIG_INVALID: one of bootstrap, join, clusterFile/)
  })

  it('takes a cluster file in JSON or YAML', () => {
    const yaml = file(
      'cluster.yaml',
      '- name: 1\n  peerAddress: a:2888\n- {name: b, peerAddress: b:2888, observer: true}\n',
    )
    expect(load({ clusterFile: yaml }).forming).toEqual({
      kind: 'static',
      servers: [
        { name: '1', peerAddress: 'a:2888', observer: false },
        { name: 'b', peerAddress: 'b:2888', observer: true },
      ],
    })
  })

  it.each(['{}', '[{"name": "1"}]', '[1]', '[null]'])('refuses %s as a cluster file', (text) => {
    expect(refusal(() => load({ clusterFile: file('bad.json', text) }))).toMatch(
      /^CONFIG_INVALID: clusterFile: /,
    )
  })
})

describe('files', () => {
  it.each([
    ['missing.yaml', null, 'CONFIG_UNREADABLE'],
    ['broken.yaml', 'a: [', 'CONFIG_UNREADABLE'],
    ['list.yaml', '- 1', 'CONFIG_INVALID'],
  ])('%s', (name, text, code) => {
    const path = join(directory, name)
    if (text !== null) file(name, text)
    expect(refusal(() => load({}, {}, path))).toMatch(new RegExp(`^${code}: `))
  })
})

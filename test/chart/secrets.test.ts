import { describe, expect, it } from 'vitest'
import { type ApiCall, ensureSecret, ensureTexts } from '../../agent/secrets.ts'

interface Stored {
  version: number
  data: Record<string, string>
}

/** One secret behind the API's rules: 404, 409 on a second creation or a stale version. */
function api(start: Stored | null) {
  const state = { stored: start, calls: [] as string[] }
  const call: ApiCall = async (method, path, body) => {
    state.calls.push(`${method} ${path}`)
    const { data, metadata } = (body ?? {}) as {
      data: Record<string, string>
      metadata: { resourceVersion: string }
    }
    if (method === 'GET') {
      if (state.stored === null) return { status: 404, body: {} }
      return {
        status: 200,
        body: {
          data: { ...state.stored.data },
          metadata: { resourceVersion: String(state.stored.version) },
        },
      }
    }
    if (method === 'POST') {
      if (state.stored !== null) return { status: 409, body: {} }
      state.stored = { version: 1, data }
      return { status: 201, body: {} }
    }
    if (state.stored === null) return { status: 404, body: {} }
    if (metadata.resourceVersion !== String(state.stored.version)) return { status: 409, body: {} }
    state.stored = {
      version: state.stored.version + 1,
      data: { ...state.stored.data, ...data },
    }
    return { status: 200, body: {} }
  }
  return { state, call }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

describe('the secrets that a release needs', () => {
  it('are made where there is none, different and long', async () => {
    const { state, call } = api(null)
    expect(await ensureSecret(call, 'auth', ['join-key', 'http-token'])).toBe('created')
    const values = Object.values(state.stored?.data ?? {}).map((value) =>
      Buffer.from(value, 'base64').toString(),
    )
    expect(values).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.any(String)])
    expect(values[0]).not.toBe(values[1])
  })

  it('stay as they are, and only missing keys are added', async () => {
    const { state, call } = api({ version: 5, data: { 'join-key': base64('mine'), other: 'eA==' } })
    expect(await ensureSecret(call, 'auth', ['join-key', 'http-token'], () => 'new')).toBe(
      'completed',
    )
    expect(state.stored?.data).toEqual({
      'join-key': base64('mine'),
      other: 'eA==',
      'http-token': base64('new'),
    })
    const before = structuredClone(state.stored)
    expect(await ensureSecret(call, 'auth', ['join-key', 'http-token'])).toBe('unchanged')
    expect(state.stored).toEqual(before)
  })

  it('are one set when two make them at once', async () => {
    const { state, call } = api(null)
    const results = await Promise.all([
      ensureSecret(call, 'auth', ['join-key'], () => 'first'),
      ensureSecret(call, 'auth', ['join-key'], () => 'second'),
    ])
    expect(results.sort()).toEqual(['created', 'unchanged'])
    expect(state.stored?.data).toEqual({ 'join-key': base64('first') })
  })

  it('are not overwritten by a writer that read before another wrote', async () => {
    const { state, call } = api({ version: 1, data: {} })
    const slow: ApiCall = async (method, path, body) => {
      if (method === 'PATCH' && state.stored?.version === 1) {
        state.stored = { version: 2, data: { 'join-key': base64('theirs') } }
      }
      return call(method, path, body)
    }
    expect(await ensureSecret(slow, 'auth', ['join-key'], () => 'ours')).toBe('unchanged')
    expect(state.stored?.data).toEqual({ 'join-key': base64('theirs') })
  })

  it('are refused aloud where the account may not', async () => {
    const call: ApiCall = async () => ({ status: 403, body: { message: 'no rights' } })
    await expect(ensureSecret(call, 'auth', ['join-key'])).rejects.toThrow(
      'cannot read secret auth: 403 no rights',
    )
  })
})

/** Several secrets behind the API's rules. */
function secretsApi(start: Record<string, Record<string, string>>) {
  const stored: Record<string, Record<string, string>> = structuredClone(start)
  const call: ApiCall = async (method, path, body) => {
    const { data, metadata } = (body ?? {}) as {
      data: Record<string, string>
      metadata?: { name: string }
    }
    const name = metadata?.name ?? path.replace('secrets/', '')
    const found = stored[name]
    if (method === 'POST') {
      if (found !== undefined) return { status: 409, body: {} }
      stored[name] = data
      return { status: 201, body: {} }
    }
    if (found === undefined) return { status: 404, body: { message: 'not found' } }
    if (method === 'PATCH') stored[name] = { ...found, ...data }
    return { status: 200, body: { data: { ...stored[name] }, metadata: { resourceVersion: '1' } } }
  }
  return { stored, call }
}

describe('texts that are made of secrets', () => {
  const uri = { uri: 'mongodb://root:{root-password}@a:27017/?replicaSet=rs0' }
  const textOf = (secret: Record<string, string> | undefined) =>
    Buffer.from(secret?.['uri'] ?? '', 'base64').toString()

  it('hold the values, fit for a URL', async () => {
    const { stored, call } = secretsApi({ auth: { 'root-password': base64('p@ss/word') } })
    expect(await ensureTexts(call, 'auth', 'connection', uri)).toBe('created')
    expect(textOf(stored['connection'])).toBe(
      'mongodb://root:p%40ss%2Fword@a:27017/?replicaSet=rs0',
    )
    expect(await ensureTexts(call, 'auth', 'connection', uri)).toBe('unchanged')
  })

  it('follow what they are made of, and leave what others wrote beside them', async () => {
    const { stored, call } = secretsApi({
      auth: { 'root-password': base64('new') },
      connection: { uri: base64('mongodb://root:old@a:27017/'), other: 'eA==' },
    })
    expect(await ensureTexts(call, 'auth', 'connection', uri)).toBe('completed')
    expect(textOf(stored['connection'])).toContain('root:new@')
    expect(stored['connection']?.['other']).toBe('eA==')
  })

  it('are refused without the values', async () => {
    await expect(ensureTexts(secretsApi({}).call, 'auth', 'connection', uri)).rejects.toThrow(
      'cannot read secret auth: 404',
    )
    await expect(
      ensureTexts(secretsApi({ auth: {} }).call, 'auth', 'connection', uri),
    ).rejects.toThrow('secret auth has no root-password')
  })
})

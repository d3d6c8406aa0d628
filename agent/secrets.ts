import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { Command } from 'commander'
import { limits } from './limits.ts'

const SECRET_BYTES = 32
/** Rounds that may lose against another writer of the same secret. */
const ROUNDS_MAX = 10
const ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'

/** An answer of the Kubernetes API. */
export interface ApiAnswer {
  readonly status: number
  readonly body: unknown
}

/** One call of the Kubernetes API; `path` starts below the namespace. Rejects when it cannot be made. */
export type ApiCall = (
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  body?: unknown,
) => Promise<ApiAnswer>

/** What became of the secret. */
export type Ensured = 'created' | 'completed' | 'unchanged'

/**
 * Makes sure that a secret has a value under each key: missing keys get random values, present ones
 * stay as they are, whoever wrote them. Safe against others who do the same at the same time. Rejects
 * with the API's answer when it refuses.
 */
export async function ensureSecret(
  call: ApiCall,
  name: string,
  keys: readonly string[],
  random: () => string = () => randomBytes(SECRET_BYTES).toString('hex'),
): Promise<Ensured> {
  const fresh = (missing: readonly string[]) =>
    Object.fromEntries(missing.map((key) => [key, encoded(random())]))
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const found = await call('GET', `secrets/${name}`)
    if (found.status === 404) {
      const { status, body } = await call('POST', 'secrets', {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name },
        type: 'Opaque',
        data: fresh(keys),
      })
      if (status === 201) return 'created'
      if (status !== 409) throw refusal('create', name, status, body)
      continue
    }
    if (found.status !== 200) throw refusal('read', name, found.status, found.body)
    const { data, metadata } = found.body as {
      readonly data?: Readonly<Record<string, string>>
      readonly metadata: { readonly resourceVersion: string }
    }
    const missing = keys.filter((key) => (data?.[key] ?? '') === '')
    if (missing.length === 0) return 'unchanged'
    // With the version that was read: a key that another writer has added since is not overwritten.
    const { status, body } = await call('PATCH', `secrets/${name}`, {
      metadata: { resourceVersion: metadata.resourceVersion },
      data: fresh(missing),
    })
    if (status === 200) return 'completed'
    if (status !== 409) throw refusal('complete', name, status, body)
  }
  throw new Error(`secret ${name}: another writer was faster ${ROUNDS_MAX} times`)
}

/**
 * Makes sure that a secret holds texts made of the values of another one: `{key}` stands for the value under
 * that key, percent-encoded as in a URL. Unlike passwords these follow: a text that is there and differs is
 * written anew. Rejects with the API's answer when it refuses, and where a key has no value.
 */
export async function ensureTexts(
  call: ApiCall,
  source: string,
  name: string,
  texts: Readonly<Record<string, string>>,
): Promise<Ensured> {
  const { status: read, body: of } = await call('GET', `secrets/${source}`)
  if (read !== 200) throw refusal('read', source, read, of)
  const { data: values = {} } = of as { readonly data?: Readonly<Record<string, string>> }
  const wanted = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, encoded(filled(text, source, values))]),
  )
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const found = await call('GET', `secrets/${name}`)
    if (found.status === 404) {
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'Opaque' }
      const { status, body } = await call('POST', 'secrets', { ...secret, data: wanted })
      if (status === 201) return 'created'
      if (status !== 409) throw refusal('create', name, status, body)
      continue
    }
    if (found.status !== 200) throw refusal('read', name, found.status, found.body)
    const { data } = found.body as { readonly data?: Readonly<Record<string, string>> }
    if (Object.entries(wanted).every(([key, value]) => data?.[key] === value)) return 'unchanged'
    const { status, body } = await call('PATCH', `secrets/${name}`, { data: wanted })
    if (status === 200) return 'completed'
    if (status !== 404) throw refusal('complete', name, status, body)
  }
  throw new Error(`secret ${name}: another writer was faster ${ROUNDS_MAX} times`)
}

function filled(text: string, source: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{([^{}]+)\}/g, (_, key: string) => {
    const value = Buffer.from(values[key] ?? '', 'base64').toString('utf8')
    if (value === '') throw new Error(`secret ${source} has no ${key}`)
    return encodeURIComponent(value.trimEnd())
  })
}

const encoded = (text: string) => Buffer.from(text).toString('base64')

function refusal(verb: string, name: string, status: number, body: unknown): Error {
  const { message } = (body ?? {}) as { readonly message?: string }
  return new Error(`cannot ${verb} secret ${name}: ${status} ${message ?? ''}`)
}

interface EnsureFlags {
  readonly name: string
  readonly key?: readonly string[]
  readonly textName?: string
  readonly text?: readonly string[]
}

/** `agent secrets ensure --name SECRET --key KEY …`, with the pod's service account. */
export function secretsCommand(): Command {
  const ensure = new Command('ensure')
    .description('make a secret, or the keys that it lacks; change none that is there')
    .requiredOption('--name <secret>', 'name of the secret, in the namespace of the pod')
    .option('--key <key...>', 'key that gets a random value when it is missing')
    .option('--text-name <secret>', 'secret of texts that are made of the values of the first one')
    .option('--text <key=text...>', 'a text; {KEY} in it is a value of the first secret')
    .action(async ({ name, key = [], textName, text = [] }: EnsureFlags) => {
      const call = serviceAccountCall()
      // Without keys the secret is somebody else's, and is only read.
      if (key.length > 0) tell(name, await ensureSecret(call, name, key))
      if (textName === undefined) return
      const texts = Object.fromEntries(text.map((pair) => partsOf(pair)))
      tell(textName, await ensureTexts(call, name, textName, texts))
    })
  return new Command('secrets').description('secrets that a release needs').addCommand(ensure)
}

function tell(name: string, ensured: Ensured): void {
  process.stdout.write(`secret ${name}: ${ensured}\n`)
}

function partsOf(pair: string): [string, string] {
  const equals = pair.indexOf('=')
  return [pair.slice(0, equals), pair.slice(equals + 1)]
}

/** Calls as the pod's service account, whose token is read anew each time: the kubelet rotates it. */
function serviceAccountCall(): ApiCall {
  const fileOf = (file: string) => readFileSync(join(ACCOUNT_DIRECTORY, file), 'utf8').trim()
  const namespace = fileOf('namespace')
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          method,
          host: process.env['KUBERNETES_SERVICE_HOST'],
          port: process.env['KUBERNETES_SERVICE_PORT'],
          path: `/api/v1/namespaces/${namespace}/${path}`,
          ca: fileOf('ca.crt'),
          timeout: limits.secretsTimeoutMs,
          headers: {
            authorization: `Bearer ${fileOf('token')}`,
            accept: 'application/json',
            'content-type':
              method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
          },
        },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('error', reject)
          incoming.on('end', () => {
            resolve({ status: incoming.statusCode ?? 0, body: parsed(Buffer.concat(chunks)) })
          })
        },
      )
      outgoing.on('timeout', () => outgoing.destroy(new Error('the Kubernetes API is mute')))
      outgoing.on('error', reject)
      outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    })
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    // A proxy's page: the status says what there is to say.
    return null
  }
}

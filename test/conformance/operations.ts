import { type Acl, Fields, openAcl, type Stat } from './raw-bytes.ts'
import { type Message, op, type RawClient } from './raw-client.ts'

/** ZooKeeper's error codes that a client meets. */
export const err = {
  ok: 0,
  runtimeInconsistency: -2,
  marshalling: -5,
  unimplemented: -6,
  badArguments: -8,
  newConfigNoQuorum: -13,
  reconfigInProgress: -14,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  noWatcher: -121,
  reconfigDisabled: -123,
  quotaExceeded: -125,
} as const

export const flag = {
  persistent: 0,
  ephemeral: 1,
  sequential: 2,
  ephemeralSequential: 3,
  container: 4,
  ttl: 5,
  ttlSequential: 6,
} as const

export const watchEvent = { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const

/** What every reply has, beside its result. */
export interface Outcome {
  readonly err: number
  readonly zxid: bigint
  /** Bytes after the header: none when err is not 0. */
  readonly bytes: number
}

function outcome(message: Message): Outcome {
  return { err: message.err, zxid: message.zxid, bytes: message.body.left }
}

export interface CreateOptions {
  readonly flags?: number
  readonly acl?: readonly Acl[] | null
}

export function createBody(
  path: string | null,
  data: string | Uint8Array | null = '',
  options: CreateOptions = {},
): Fields {
  const acl = options.acl === undefined ? openAcl : options.acl
  return new Fields()
    .text(path)
    .text(data)
    .acl(acl)
    .int(options.flags ?? 0)
}

export function pathBody(path: string | null, watch?: boolean): Fields {
  const fields = new Fields().text(path)
  return watch === undefined ? fields : fields.bool(watch)
}

export function versionBody(path: string | null, version = -1): Fields {
  return new Fields().text(path).int(version)
}

export function dataBody(
  path: string | null,
  data: string | Uint8Array | null,
  version = -1,
): Fields {
  return new Fields().text(path).text(data).int(version)
}

export async function create(
  client: RawClient,
  path: string | null,
  data?: string | Uint8Array | null,
  options?: CreateOptions,
): Promise<Outcome & { readonly path: string | null }> {
  const message = await client.request(op.create, createBody(path, data, options))
  const common = outcome(message)
  return { ...common, path: message.err === 0 ? message.body.text() : null }
}

export async function create2(
  client: RawClient,
  path: string,
  data?: string | null,
  options?: CreateOptions,
): Promise<Outcome & { readonly path: string | null; readonly stat: Stat | null }> {
  const message = await client.request(op.create2, createBody(path, data, options))
  const common = outcome(message)
  const found = message.err === 0
  return {
    ...common,
    path: found ? message.body.text() : null,
    stat: found ? message.body.stat() : null,
  }
}

export async function remove(
  client: RawClient,
  path: string | null,
  version = -1,
): Promise<Outcome> {
  return outcome(await client.request(op.delete, versionBody(path, version)))
}

export async function setData(
  client: RawClient,
  path: string,
  data: string | Uint8Array | null,
  version = -1,
): Promise<Outcome & { readonly stat: Stat | null }> {
  const message = await client.request(op.setData, dataBody(path, data, version))
  return { ...outcome(message), stat: message.err === 0 ? message.body.stat() : null }
}

export async function getData(
  client: RawClient,
  path: string,
  watch = false,
): Promise<Outcome & { readonly data: string | null; readonly stat: Stat | null }> {
  const message = await client.request(op.getData, pathBody(path, watch))
  const common = outcome(message)
  const found = message.err === 0
  return {
    ...common,
    data: found ? message.body.text() : null,
    stat: found ? message.body.stat() : null,
  }
}

export async function exists(
  client: RawClient,
  path: string,
  watch = false,
): Promise<Outcome & { readonly stat: Stat | null }> {
  const message = await client.request(op.exists, pathBody(path, watch))
  return { ...outcome(message), stat: message.err === 0 ? message.body.stat() : null }
}

/** The stat of a znode that must exist. */
export async function statOf(client: RawClient, path: string): Promise<Stat> {
  const { stat } = await exists(client, path)
  if (stat === null) throw new Error(`${path} does not exist`)
  return stat
}

/** The children in the order of their names; the protocol leaves the order open. */
export async function getChildren(
  client: RawClient,
  path: string,
  watch = false,
): Promise<Outcome & { readonly children: (string | null)[] }> {
  const message = await client.request(op.getChildren, pathBody(path, watch))
  const common = outcome(message)
  return { ...common, children: message.err === 0 ? message.body.texts().sort() : [] }
}

export async function getAcl(
  client: RawClient,
  path: string,
): Promise<Outcome & { readonly acl: Acl[]; readonly stat: Stat | null }> {
  const message = await client.request(op.getAcl, pathBody(path))
  const common = outcome(message)
  const found = message.err === 0
  return {
    ...common,
    acl: found ? message.body.acl() : [],
    stat: found ? message.body.stat() : null,
  }
}

export async function setAcl(
  client: RawClient,
  path: string,
  acl: readonly Acl[] | null,
  version = -1,
): Promise<Outcome & { readonly stat: Stat | null }> {
  const message = await client.request(op.setAcl, new Fields().text(path).acl(acl).int(version))
  return { ...outcome(message), stat: message.err === 0 ? message.body.stat() : null }
}

export async function authenticate(
  client: RawClient,
  scheme: string,
  credential: string | null,
  xid = -4,
): Promise<Outcome> {
  const body = new Fields().int(0).text(scheme).text(credential)
  return outcome(await client.request(op.auth, body, xid))
}

export interface MultiItem {
  readonly type: number
  readonly body: Fields
}

/** One result of a multi, its body read by its type. */
export interface MultiResult {
  readonly type: number
  readonly err: number
  readonly value?: unknown
}

export function multiBody(items: readonly MultiItem[]): Fields {
  const fields = new Fields()
  for (const item of items) fields.int(item.type).bool(false).int(-1).raw(item.body.bytes())
  return fields.int(-1).bool(true).int(-1)
}

/** The results of a multi or multiRead; throws where the answer has not the protocol's shape. */
export function multiResults(message: Message): MultiResult[] {
  const { body } = message
  const results: MultiResult[] = []
  for (;;) {
    const type = body.int()
    const done = body.bool()
    const code = body.int()
    if (done) {
      if (type !== -1 || code !== -1) throw new Error(`an end of a multi of (${type}, ${code})`)
      if (body.left > 0) throw new Error(`${body.left} bytes after the end of a multi`)
      return results
    }
    results.push({ type, err: code, ...resultBody(type, message) })
  }
}

function resultBody(type: number, { body }: Message): { value?: unknown } {
  switch (type) {
    case -1:
      return { value: body.int() }
    case op.create:
      return { value: body.text() }
    case op.create2:
    case op.createContainer:
      return { value: { path: body.text(), stat: body.stat() } }
    case op.setData:
      return { value: body.stat() }
    case op.getData:
      return { value: { data: body.text(), stat: body.stat() } }
    case op.getChildren:
      return { value: body.texts().sort() }
    case op.delete:
    case op.check:
      return {}
    default:
      throw new Error(`a multi result of type ${type}`)
  }
}

export async function multi(
  client: RawClient,
  items: readonly MultiItem[],
): Promise<Outcome & { readonly results: MultiResult[] }> {
  const message = await client.request(op.multi, multiBody(items))
  return { ...outcome(message), results: message.err === 0 ? multiResults(message) : [] }
}

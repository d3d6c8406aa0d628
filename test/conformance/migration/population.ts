import { createHash } from 'node:crypto'
import {
  authenticate,
  create,
  createBody,
  dataBody,
  flag,
  multi,
  remove,
  setAcl,
  setData,
  versionBody,
} from '../operations.ts'
import { Fields, openAcl } from '../raw-bytes.ts'
import { op, RawClient } from '../raw-client.ts'

const READER = 'reader:secret'

function digestId(credential: string): string {
  const [user] = credential.split(':')
  return `${user}:${createHash('sha1').update(credential).digest('base64')}`
}

const readerAcl = [{ perms: 31, scheme: 'digest', id: digestId(READER) }]
const mixedAcl = [
  ...readerAcl,
  { perms: 1, scheme: 'world', id: 'anyone' },
  { perms: 3, scheme: 'ip', id: '127.0.0.0/8' },
]

/** A session of whoever may see everything that `populate` makes. */
export async function connectReader(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port)
  await authenticate(client, 'digest', READER)
  return client
}

/** Znodes of every kind, changed in every way; ephemerals are `client`'s, all below /ephemerals. */
export async function populate(client: RawClient): Promise<void> {
  await plainZnodes(client)
  await countedZnodes(client)
  await protectedZnodes(client)
  await mortalZnodes(client)
  await quotas(client)
  await transactions(client)
}

async function plainZnodes(client: RawClient): Promise<void> {
  await create(client, '/plain', 'first')
  for (let i = 0; i < 5; i += 1) await setData(client, '/plain', `value ${i}`)
  await create(client, '/null', null)
  await create(client, '/empty', '')
  await create(client, '/\u00fcnicode-\u4e2d', '\u{1f600}')
  await create(client, '/large', Buffer.alloc(200_000, 7))
  await create(client, '/deep', '')
  await create(client, '/deep/er', '')
  await create(client, '/deep/er/still', 'x')
  await setData(client, '/', 'data of the root')
}

/** Counters of children that clients do not see: some of them are deleted again. */
async function countedZnodes(client: RawClient): Promise<void> {
  await create(client, '/sequence', '')
  for (let i = 0; i < 4; i += 1) {
    await create(client, '/sequence/n-', '', { flags: flag.sequential })
  }
  await create(client, '/sequence/other', '')
  await remove(client, '/sequence/other')
  await remove(client, '/sequence/n-0000000003')
  await create(client, '/gone', '')
  await create(client, '/gone/child', '')
  await remove(client, '/gone/child')
  await remove(client, '/gone')
}

async function protectedZnodes(client: RawClient): Promise<void> {
  await authenticate(client, 'digest', READER)
  await create(client, '/protected', 'secret', { acl: readerAcl })
  await create(client, '/protected/child', '', { acl: mixedAcl })
  await create(client, '/reopened', '', { acl: readerAcl })
  await setAcl(client, '/reopened', mixedAcl)
  await setAcl(client, '/reopened', openAcl)
}

async function mortalZnodes(client: RawClient): Promise<void> {
  await create(client, '/ephemerals', '')
  await create(client, '/ephemerals/one', 'e', { flags: flag.ephemeral })
  await create(client, '/ephemerals/n-', 'e', { flags: flag.ephemeral | flag.sequential })
  const container = createBody('/container', 'c', { flags: flag.container })
  await client.request(op.createContainer, container)
  await create(client, '/container/member', '')
  const ttl = createBody('/ttl', 't', { flags: flag.ttl }).long(86_400_000n)
  await client.request(op.createTtl, ttl)
}

async function quotas(client: RawClient): Promise<void> {
  await create(client, '/limited', '12345')
  await create(client, '/zookeeper/quota/limited', '')
  const limits = 'count=10,bytes=1000=;byteHardLimit=2000;countHardLimit=20'
  await create(client, '/zookeeper/quota/limited/zookeeper_limits', limits)
  await create(client, '/zookeeper/quota/limited/zookeeper_stats', 'count=1,bytes=5')
  await create(client, '/limited/a', '123')
  await create(client, '/limited/b', '1234')
  await remove(client, '/limited/a')
}

/** A multi that works, one that fails, and requests that take a zxid and change nothing. */
async function transactions(client: RawClient): Promise<void> {
  await multi(client, [
    { type: op.create, body: createBody('/multi', 'm') },
    { type: op.create2, body: createBody('/multi/a', 'm') },
    { type: op.setData, body: dataBody('/plain', 'by a multi') },
    { type: op.check, body: versionBody('/multi', 0) },
    { type: op.create, body: createBody('/multi/b', 'm') },
    { type: op.delete, body: versionBody('/multi/b') },
  ])
  await multi(client, [
    { type: op.create, body: createBody('/multi/never', '') },
    { type: op.check, body: versionBody('/multi', 77) },
  ])
  await create(client, '/plain', 'again')
  await client.request(op.check, new Fields().text('/nowhere').int(-1))
}

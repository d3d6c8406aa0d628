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
} from './operations.ts'
import { Fields } from './raw-bytes.ts'
import { op, type RawClient } from './raw-client.ts'

const open = [{ scheme: 'world', id: 'anyone', perms: 31 }]
const digest = { scheme: 'digest', id: 'bob:hash=', perms: 1 }

/** One of everything that an audit log tells of, and of what it does not. */
export async function audited(client: RawClient): Promise<void> {
  await create(client, '/a', 'x')
  await create(client, '/a', 'x')
  await create(client, '/none/a')
  await create(client, '/a/s-', '', { flags: flag.sequential })
  await create(client, '/a/e', '', { flags: flag.ephemeral })
  await create(client, '/a/es-', '', { flags: flag.ephemeralSequential })
  await client.request(op.createContainer, createBody('/a/c', '', { flags: flag.container }))
  await client.request(op.createTtl, createBody('/a/t', '', { flags: flag.ttl }).long(60_000n))
  await client.request(op.create2, createBody('/a/two'))
  await create(client, '/a/bad', '', { acl: [] })
  await create(client, 'bad')
  await setData(client, '/a', 'y')
  await setData(client, '/a', 'y', 7)
  await setAcl(client, '/a/two', [...open, digest])
  await setAcl(client, '/none', open)
  await setAcl(client, '/a/two', [{ scheme: 'world', id: 'anyone', perms: 0 }])
  await remove(client, '/a/two')
  await remove(client, '/none')
  await remove(client, '/a')
  await multi(client, [
    { type: op.create, body: createBody('/a/m') },
    { type: op.create2, body: createBody('/a/m2', '', { flags: flag.sequential }) },
    { type: op.setData, body: dataBody('/a/m', 'z') },
    { type: op.check, body: versionBody('/a/m') },
    { type: op.delete, body: versionBody('/a/m') },
  ])
  await multi(client, [
    { type: op.create, body: createBody('/a/m') },
    { type: op.delete, body: versionBody('/none') },
  ])
  await multi(client, [])
  await client.request(op.reconfig, new Fields().text(null).text('9').text(null).long(-1n))
  await authenticate(client, 'digest', 'ann:secret')
  await authenticate(client, 'digest', 'bob:secret')
  await create(client, '/a/known', '', { acl: [{ scheme: 'auth', id: '', perms: 31 }] })
  await setAcl(client, '/a/known', [{ scheme: 'auth', id: '', perms: 31 }])
  await authenticate(client, 'digest', 'super:secret')
  await remove(client, '/a/known')
  await client.close()
}

import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { authenticate, create, err, getAcl, getData, setAcl } from '../operations.ts'
import { openAcl } from '../raw-bytes.ts'
import { op, type RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const AUTH = [{ perms: 31, scheme: 'auth', id: '' }]

async function whoAmI(client: RawClient): Promise<string[]> {
  const { body } = await client.request(op.whoAmI)
  return Array.from({ length: body.int() }, () => `${body.text()}:${body.text()}`).sort()
}

/** The settings of a server whose superuser is super:secret, by a hash of its own. */
export function digestSettings(java: string, node: string): Record<string, string> {
  const hash = createHash(node).update('super:secret').digest('base64')
  return {
    'DigestAuthenticationProvider.digestAlg': java,
    'DigestAuthenticationProvider.superDigest': `super:${hash}`,
  }
}

/** Servers with `digestSettings`. */
export function digestSuite(target: Target, node: string): void {
  const sessions = new Sessions(target)

  it('hashes a password by the algorithm that is set', async () => {
    const client = await sessions.client()
    const place = await sessions.place(client)
    await authenticate(client, 'digest', 'ann:secret')
    await setAcl(client, place, AUTH)
    const hash = createHash(node).update('ann:secret').digest('base64')
    expect((await getAcl(client, place)).acl).toEqual([
      { perms: 31, scheme: 'digest', id: `ann:${hash}` },
    ])
  })

  it('knows the superuser by it, who is a user beside', async () => {
    const ann = await sessions.client()
    const place = await sessions.place(ann)
    await authenticate(ann, 'digest', 'ann:secret')
    await create(ann, `${place}/a`, 'of ann', { acl: AUTH })
    const client = await sessions.client()
    expect((await getData(client, `${place}/a`)).err).toBe(err.noAuth)
    await authenticate(client, 'digest', 'super:secret')
    expect((await getData(client, `${place}/a`)).data).toBe('of ann')
    expect(await whoAmI(client)).toEqual(['digest:super', 'ip:127.0.0.1', 'super:'])
  })
}

/** Servers with skipACL, on which nobody is asked who they are. */
export function skippingSuite(target: Target): void {
  const sessions = new Sessions(target)

  it('lets everybody do everything, and tells nobody that they are somebody', async () => {
    const ann = await sessions.client()
    const place = await sessions.place(ann)
    await authenticate(ann, 'digest', 'ann:secret')
    await setAcl(ann, place, AUTH)
    const client = await sessions.client()
    expect((await getData(client, place)).err).toBe(0)
    expect((await create(client, `${place}/a`)).err).toBe(0)
    expect((await getAcl(client, place)).acl?.[0]?.id).not.toBe('ann:x')
    expect((await setAcl(client, place, AUTH)).err).toBe(err.invalidAcl)
    expect((await setAcl(client, place, openAcl)).err).toBe(0)
    expect(await whoAmI(client)).toEqual(['ip:127.0.0.1'])
  })
}

/** Servers of the ensemble one, or two, without the scheme digest. */
export function ensembleSchemeSuite(target: Target): void {
  const sessions = new Sessions(target)

  it('takes the names of its ensemble, or none, and gives no identity for them', async () => {
    const client = await sessions.client()
    for (const name of ['one', 'two', '', null]) {
      expect((await authenticate(client, 'ensemble', name)).err).toBe(0)
    }
    expect(await whoAmI(client)).toEqual(['ip:127.0.0.1'])
  })

  it('closes without an answer over another name', async () => {
    const client = await sessions.client()
    await expect(authenticate(client, 'ensemble', 'three')).rejects.toThrow('closed')
  })

  it('knows no digests, nor ACLs of them', async () => {
    const client = await sessions.client()
    const place = await sessions.place(client)
    const digest = { perms: 31, scheme: 'digest', id: 'ann:hash' }
    const ensemble = { perms: 31, scheme: 'ensemble', id: 'one' }
    for (const entry of [digest, ensemble, ...AUTH]) {
      expect((await setAcl(client, place, [entry])).err).toBe(err.invalidAcl)
    }
    expect((await authenticate(client, 'digest', 'ann:secret')).err).toBe(err.authFailed)
  })
}

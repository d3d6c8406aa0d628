import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copiesListed } from '../../../../agent/core/cluster/allegrograph-instances.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { forms, GROWS_WITHIN_MS, isDouble, Servers } from './servers.ts'

const FIRST = 'g-copies-0-0a1b2c3d-1'
const SECOND = 'g-copies-0-0a1b2c3d-2'

const what = isDouble ? 'a double of AllegroGraph' : 'the servers of ALLEGROGRAPH_URLS'

/**
 * What the agents rely on, in the order of the vendor's recipe. It is asked of two doubles, or of the two real
 * servers that ALLEGROGRAPH_URLS names.
 */
describe.each(forms)(`the contract with AllegroGraph, of ${what} (%s)`, (form) => {
  let servers: Servers

  beforeAll(async () => {
    servers = await Servers.start(form, 400)
  })
  afterAll(async () => await servers.stop())

  const listed = async (server: number) => {
    const status = await servers.client(server).status()
    return status === null ? null : copiesListed(status, 'g-copies').map(({ name }) => name)
  }

  it('answers /hostname and /version to whoever knows the password', async () => {
    expect(await servers.client(0).hostname()).not.toBe('')
    expect(await servers.client(0).version()).toMatch(/^\d+\.\d+/)
    const wrong = join(servers.root, 'wrong')
    writeFileSync(wrong, 'not-it')
    await expect(servers.client(0, wrong).status()).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
      detail: 401,
    })
  })

  it('says of a repository that is not there that it is no instance', async () => {
    expect(await listed(0)).toBeNull()
  })

  it('creates a cluster, once', async () => {
    await servers.client(0).createCluster('controlling', servers.place(0))
    expect(await listed(0)).toEqual([])
    await expect(
      servers.client(0).createCluster('controlling', servers.place(0)),
    ).rejects.toMatchObject({ code: 'ENGINE_REFUSED' })
  })

  it(
    'lists an instance from the beginning of its growth, and the copy lists itself at its end',
    async () => {
      const growth = servers.client(0).growCluster(FIRST, servers.place(1))
      let isOver = false
      void growth.finally(() => {
        isOver = true
      })
      await waitFor('the growing instance is listed', async () =>
        (await listed(0))?.includes(FIRST),
      )
      expect(isOver).toBe(false)
      await growth
      await waitFor('the copy lists itself', async () => (await listed(1))?.includes(FIRST))
    },
    GROWS_WITHIN_MS,
  )

  it('goes on without the controlling one asked again: a name is taken once', async () => {
    await expect(servers.client(0).growCluster(FIRST, servers.place(1))).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
    })
    expect(await listed(0)).toEqual([FIRST])
  })

  it('lists an instance no more once it is removed', async () => {
    await servers.client(0).removeInstance(FIRST)
    expect(await listed(0)).toEqual([])
  })

  it('never takes a removed instance back', async () => {
    await expect(servers.client(0).growCluster(FIRST, servers.place(1))).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
    })
    expect(await listed(0)).not.toContain(FIRST)
  })

  it('refuses to remove what is not listed', async () => {
    await expect(servers.client(0).removeInstance(SECOND)).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
    })
  })

  it('repeats no password in what agents tell of a refusal', async () => {
    const refusal: unknown = await servers
      .client(0)
      .createCluster('controlling', servers.place(0))
      .catch((error: unknown) => error)
    const text = String(refusal)
    expect(text).toContain('AllegroGraph: HTTP')
    for (const form of [servers.password, encodeURIComponent(servers.password)]) {
      expect(text).not.toContain(form)
    }
  })
})

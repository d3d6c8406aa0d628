import { describe, expect, it } from 'vitest'
import { err, getAcl, getData, setData } from '../operations.ts'
import { Sessions, type Target } from './target.ts'

/** /zookeeper/config of an ensemble of three. */
export function configurationSuite(target: Target): void {
  describe('/zookeeper/config', () => {
    const sessions = new Sessions(target)

    it('lists the servers and says its version, which is its zxid', async () => {
      const client = await sessions.client()
      const { data, stat } = await getData(client, '/zookeeper/config')
      const { clientPorts } = target.ensemble()
      const lines = (data ?? '').split('\n')
      expect(lines.slice(0, -1).map((line) => line.replace(/:\d+:\d+:/, ':P:P:'))).toEqual(
        clientPorts.map((port, i) => `server.${i + 1}=127.0.0.1:P:P:participant;127.0.0.1:${port}`),
      )
      expect(lines.at(-1)).toBe(`version=${stat?.mzxid.toString(16)}`)
      expect(stat).toMatchObject({
        czxid: 0n,
        ctime: 0n,
        version: -1,
        cversion: 0,
        aversion: -1,
        numChildren: 0,
        pzxid: 0n,
      })
    })

    it('is the same on every server', async () => {
      const texts = await Promise.all(
        [0, 1, 2].map(async (server) => {
          const client = await sessions.client({}, server)
          return (await getData(client, '/zookeeper/config')).data
        }),
      )
      expect(new Set(texts).size).toBe(1)
    })

    it('is for everyone to read and for nobody to write', async () => {
      const client = await sessions.client()
      const { acl } = await getAcl(client, '/zookeeper/config')
      expect(acl).toEqual([{ perms: 1, scheme: 'world', id: 'anyone' }])
      expect((await setData(client, '/zookeeper/config', 'mine')).err).toBe(err.noAuth)
    })
  })
}

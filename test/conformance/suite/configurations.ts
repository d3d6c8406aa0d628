import { describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { err, getAcl, getData, setData } from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

/** /zookeeper/config of an ensemble of three. */
export function configurationSuite(target: Target): void {
  describe('/zookeeper/config', () => {
    const sessions = new Sessions(target)

    it('lists the servers and says its version, which is its zxid', async () => {
      const client = await sessions.client()
      const { clientPorts } = target.ensemble()
      // Quorate writes them down as they come in: the last of them up to a second after its clients.
      const { data, stat } = await waitFor('all servers in the configuration', async () => {
        const config = await getData(client, '/zookeeper/config')
        return config.data?.split('\n').length === clientPorts.length + 1 && config
      })
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
      const clients = await Promise.all([0, 1, 2].map((server) => sessions.client({}, server)))
      await waitFor('the same text everywhere', async () => {
        const answers = clients.map((client) => getData(client, '/zookeeper/config'))
        const texts = (await Promise.all(answers)).map(({ data }) => data)
        return new Set(texts).size === 1
      })
    })

    it('is changed by nobody where reconfig is not enabled', async () => {
      const client = await sessions.client()
      const nothing = new Fields().text(null).text(null).text(null).long(-1n)
      const reply = await client.request(op.reconfig, nothing)
      expect(reply.err).toBe(err.reconfigDisabled)
    })

    it('is for everyone to read and for nobody to write', async () => {
      const client = await sessions.client()
      const { acl } = await getAcl(client, '/zookeeper/config')
      expect(acl).toEqual([{ perms: 1, scheme: 'world', id: 'anyone' }])
      expect((await setData(client, '/zookeeper/config', 'mine')).err).toBe(err.noAuth)
    })
  })
}

import { describe, expect, it } from 'vitest'
import { leaderOf } from '../../support/processes.ts'
import { titleOf, zookeeperTool } from '../../support/toolchain.ts'
import type { Target } from '../suite/target.ts'
import { run } from './command.ts'
import { logback, plain } from './zk-cli.ts'

const commands = [
  'create /quoted data',
  'setquota -b 100 /quoted',
  'listquota /quoted',
  'create /quoted/a 12345',
  'setquota -N 2 /quoted',
  'create /quoted/b',
  'listquota /quoted',
  'setquota -n 1 /quoted/a',
  'delquota -N /quoted',
  'listquota /quoted',
  'delquota /quoted',
  'listquota /quoted',
  'create /quoted/b',
  'get /zookeeper/quota/quoted',
  'config',
]

/** The quota commands of Apache ZooKeeper's own command line, the Java client, unchanged. */
export function zkCliQuotaSuite(target: Target): void {
  const tool = zookeeperTool()
  describe.skipIf(tool.found === null)(titleOf('zkCli', tool), () => {
    it('setquota, listquota and delquota', async () => {
      const { java, classPath } = tool.found ?? { java: '', classPath: '' }
      // The one that enforces quotas: a follower may answer before its leader has counted.
      const leader = await leaderOf(target.ensemble())
      const ended = await run(
        java,
        [
          ...['-cp', classPath, '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'],
          `-Dlogback.configurationFile=${logback}`,
          ...['org.apache.zookeeper.ZooKeeperMain', '-server'],
          `127.0.0.1:${target.ensemble().clientPorts[leader]}`,
        ],
        { input: `${commands.join('\n')}\nquit\n`, withinMs: 90_000 },
      )
      const shown = plain(ended.stdout).map((line) =>
        line
          .replace(/:\d+:\d+:participant;127.0.0.1:\d+$/, ':P:P:participant;127.0.0.1:P')
          .replace(/^version=[0-9a-f]+$/, 'version=V'),
      )
      expect(shown).toEqual(printed)
      expect(plain(ended.stderr)).toEqual(told)
    })
  })
}

const printed = [
  'Output quota for /quoted count=-1,bytes=100=;byteHardLimit=-1;countHardLimit=-1',
  'Output stat for /quoted count=1,bytes=4',
  'Output quota for /quoted count=-1,bytes=100=;byteHardLimit=-1;countHardLimit=2',
  'Output stat for /quoted count=2,bytes=9',
  'Output quota for /quoted count=-1,bytes=100=;byteHardLimit=-1;countHardLimit=-1',
  'Output stat for /quoted count=2,bytes=9',
  'server.1=127.0.0.1:P:P:participant;127.0.0.1:P',
  'server.2=127.0.0.1:P:P:participant;127.0.0.1:P',
  'server.3=127.0.0.1:P:P:participant;127.0.0.1:P',
  'version=V',
]

const told = [
  'Created /quoted',
  'absolute path is /zookeeper/quota/quoted/zookeeper_limits',
  'Created /quoted/a',
  'Quota has exceeded : /quoted/b',
  'absolute path is /zookeeper/quota/quoted/zookeeper_limits',
  '/quoted/a has a parent /quoted which has a quota',
  'absolute path is /zookeeper/quota/quoted/zookeeper_limits',
  'absolute path is /zookeeper/quota/quoted/zookeeper_limits',
  'quota for /quoted does not exist.',
  'Created /quoted/b',
  'Node does not exist: /zookeeper/quota/quoted',
]

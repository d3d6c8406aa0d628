import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { titleOf, zookeeperTool } from '../../support/toolchain.ts'
import { waitFor } from '../../support/wait-for.ts'
import type { Target } from '../suite/target.ts'
import { type Ended, run } from './command.ts'
import { commands, printed, told } from './zk-cli-transcript.ts'

const WITHIN_MS = 90_000
export const logback = fileURLToPath(new URL('logback.xml', import.meta.url))

/** What the commands printed: without the greeting, the events and what differs from run to run. */
export function plain(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => !/^(|Connecting to .*|Welcome to .*|JLine .*|WATCHER::)$/.test(line))
    .filter((line) => !line.startsWith('WatchedEvent '))
    .map((line) =>
      line
        .replace(/^(\w+) = 0x[0-9a-f]*[1-9a-f][0-9a-f]*$/, '$1 = 0xN')
        .replace(/^([cm]time) = .*$/, '$1 = T'),
    )
}

/** The events that were printed, as `type path`. */
function events(output: string): string[] {
  const found = output.matchAll(/^WatchedEvent state:SyncConnected type:(\w+) path:(\/\S+) /gm)
  return [...found].map(([, type, path]) => `${type} ${path}`)
}

/** Apache ZooKeeper's own command line, the Java client, unchanged. */
export function zkCliSuite(target: Target): void {
  const tool = zookeeperTool()
  describe.skipIf(tool.found === null)(titleOf('zkCli', tool), () => {
    const java = tool.found?.java ?? ''
    const argumentsFor = (command: readonly string[]) => [
      '-cp',
      tool.found?.classPath ?? '',
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      `-Dlogback.configurationFile=${logback}`,
      'org.apache.zookeeper.ZooKeeperMain',
      '-server',
      target
        .ensemble()
        .clientPorts.map((port) => `127.0.0.1:${port}`)
        .join(','),
      ...command,
    ]
    const cli = (...command: string[]): Promise<Ended> =>
      run(java, argumentsFor(command), { withinMs: WITHIN_MS })

    it('a batch of commands on its standard input', async () => {
      const ended = await run(java, argumentsFor([]), {
        input: `${commands.join('\n')}\nquit\n`,
        withinMs: WITHIN_MS,
      })
      expect(plain(ended.stdout)).toEqual(printed)
      expect(plain(ended.stderr)).toEqual(told)
      // zkCli's own is the code of the last command, which was refused.
      expect(ended.code).toBe(1)
    })

    it('its ephemerals went when it quit', async () => {
      expect(plain((await cli('ls', '/cli')).stdout)).toEqual(['[container, n-0000000000, ttl]'])
    })

    it('single commands, with their exit codes', async () => {
      const created = await cli('create', '/single', 'hello')
      expect({ code: created.code, told: plain(created.stderr) }).toEqual({
        code: 0,
        told: ['Created /single'],
      })
      expect(plain((await cli('get', '/single')).stdout)).toEqual(['hello'])
      const missing = await cli('get', '/no-such-znode')
      expect(missing.code).toBe(1)
      expect(plain(missing.stderr)).toEqual(['Node does not exist: /no-such-znode'])
      const again = await cli('create', '/single', 'hello')
      expect(again.code).toBe(1)
      expect(plain(again.stderr)).toEqual(['Node already exists: /single'])
    })

    it('watches: one-shot, recursive, and removed', async () => {
      const child = spawn(java, argumentsFor([]), { stdio: 'pipe' })
      let output = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
        })
      }
      const type = async (line: string, until: string) => {
        child.stdin.write(`${line}\n`)
        await waitFor(`${line}: ${until}`, () => output.includes(until), WITHIN_MS)
      }
      try {
        await type('create /watched 1', 'Created /watched')
        await type('get -w /watched', '\n1\n')
        await type('set /watched 2', 'type:NodeDataChanged path:/watched ')
        await type('set /watched 3', '')
        await type('ls -w /watched', '[]')
        await type('create /watched/child x', 'type:NodeChildrenChanged path:/watched ')
        await type('addWatch -m PERSISTENT_RECURSIVE /watched', '')
        await type('create /watched/child/deep x', 'type:NodeCreated path:/watched/child/deep ')
        await type('deleteall /watched', 'type:NodeDeleted path:/watched ')
        await type('removewatches /watched', 'type:PersistentWatchRemoved path:/watched ')
        await type('create /watched 1', '')
        await type('ls -R /watched', '\n/watched\n')
        expect(events(output)).toEqual([
          'NodeDataChanged /watched',
          'NodeChildrenChanged /watched',
          'NodeCreated /watched/child/deep',
          'NodeDeleted /watched/child/deep',
          'NodeDeleted /watched/child',
          'NodeDeleted /watched',
          'PersistentWatchRemoved /watched',
        ])
        child.stdin.end('quit\n')
        await waitFor('zkCli quits', () => child.exitCode !== null, WITHIN_MS)
        expect(child.exitCode).toBe(0)
      } finally {
        child.kill('SIGKILL')
      }
    })
  })
}

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fourLetterWord } from '../support/processes.ts'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { ensembleFor, type ServerName } from './servers.ts'
import { adminSuite, commandsWithoutService } from './suite/admin-server.ts'
import { raftKeeperWords, refusedWords, wordsWithoutService } from './suite/four-letter-words.ts'
import { Sessions, type Target } from './suite/target.ts'

const tool = zookeeperTool()
const servers: readonly ServerName[] = ['quorate', 'zookeeper']
const page = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8')
const skipped = (name: ServerName) => name === 'zookeeper' && tool.found === null

/** Type and names of labels of every metric, from the servers of one ensemble. */
const series = new Map<ServerName, Map<string, string>>()
/** Every line of `mntr` of a server that stands alone: its name, and the kind of its value. */
const lines = new Map<ServerName, Map<string, string>>()

async function scrape(target: Target): Promise<Map<string, string>> {
  const types = new Map<string, string>()
  const labels = new Map<string, Set<string>>()
  for (const port of target.ensemble().metricsPorts) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      types.set(name, type)
    }
    for (const [, name = '', inside = ''] of text.matchAll(/^(\w+)(?:\{([^}]*)\})? \S+$/gm)) {
      const base = types.has(name) ? name : name.replace(/_(count|sum)$/, '')
      const seen = labels.get(base) ?? new Set()
      for (const [, label = ''] of inside.matchAll(/(\w+)=/g)) seen.add(label)
      labels.set(base, seen)
    }
  }
  return new Map(
    [...types].map(([name, type]) => [name, [type, ...(labels.get(name) ?? [])].join(' ')]),
  )
}

/** The names in the table of metrics that Quorate does not have; `jvm_*` stands for all such. */
function listed(name: string): boolean {
  const section = page.slice(page.indexOf('## Metrics that are not there'))
  const rows = section.split('\n').filter((line) => line.startsWith('| '))
  const names = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)])
  return names.some(([, text = '']) =>
    text.endsWith('*') ? name.startsWith(text.slice(0, -1)) : name === text,
  )
}

describe.each(
  servers.map((name) => {
    const title = name === 'zookeeper' ? titleOf('Apache ZooKeeper', tool) : 'Quorate'
    return [title, name] as const
  }),
)('%s', (_title, name) => {
  describe.skipIf(skipped(name))('monitored', () => {
    const target = ensembleFor(name, {
      servers: 3,
      monitored: true,
      settings: name === 'quorate' ? { 'quorate.httpAuth': 'open' } : {},
    })
    const sessions = new Sessions(target)
    adminSuite(target)
    if (name === 'quorate') raftKeeperWords(target)

    it('has metrics for Prometheus', async () => {
      await sessions.client()
      series.set(name, await scrape(target))
      expect(series.get(name)?.get('znode_count')).toBe('gauge')
    })

    it('says that it serves nobody when the others are gone', async () => {
      const ensemble = target.ensemble()
      await ensemble.kill(1)
      await ensemble.kill(2)
      await wordsWithoutService(ensemble.clientPorts[0] ?? 0)
      await commandsWithoutService(target)
    })
  })

  describe.skipIf(skipped(name))('with a short list of words', () => {
    refusedWords(ensembleFor(name, { servers: 1, settings: { '4lw.commands.whitelist': 'ruok' } }))
  })

  describe.skipIf(skipped(name))('alone', () => {
    const target = ensembleFor(name, { servers: 1 })

    it('lists its metrics in mntr', async () => {
      const [port = 0] = target.ensemble().clientPorts
      const text = await waitFor('mntr', () => fourLetterWord(port, 'mntr'))
      const kind = (value: string) =>
        /^-?\d+$/.test(value)
          ? 'integer'
          : /^-?\d+\.\d+(E-?\d+)?$/.test(value)
            ? 'fraction'
            : 'text'
      const rows = text.trimEnd().split('\n')
      lines.set(
        name,
        new Map(
          rows.map((row) => row.split('\t')).map(([key = '', value = '']) => [key, kind(value)]),
        ),
      )
      expect(rows.length).toBeGreaterThan(50)
    })
  })
})

describe.skipIf(tool.found === null)(titleOf('What Apache ZooKeeper measures', tool), () => {
  it('Quorate has with the same type and labels, or says why not', () => {
    const own = series.get('quorate') ?? new Map()
    const theirs = series.get('zookeeper') ?? new Map()
    expect(theirs.size).toBeGreaterThan(150)
    for (const [name, type] of theirs) {
      if (listed(name)) expect.soft(own.get(name), `${name} is there, and listed`).toBe(undefined)
      else expect.soft([name, own.get(name)]).toEqual([name, type])
    }
  })

  it('is in mntr under the same name and printed alike, or listed', () => {
    const own = lines.get('quorate') ?? new Map()
    expect(own.size).toBeGreaterThan(50)
    const theirs = lines.get('zookeeper') ?? new Map()
    expect(theirs.size).toBeGreaterThan(150)
    for (const [name, kind] of theirs) {
      const base = name.replace(/^zk_/, '').replace(/^(avg|min|max|cnt|sum|p\d+)_/, '')
      if (own.has(name) || !(listed(base) || listed(name.slice('zk_'.length)))) {
        expect.soft([name, own.get(name)]).toEqual([name, kind])
      }
    }
  })
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { migrationOf } from '../../../server/cli/migrate-command.ts'

/** What `quorate migrate` makes of its file and flags. */

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-migrate-command-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function zooCfg(myid: string, ...lines: string[]): string {
  const data = join(directory, 'data')
  mkdirSync(data, { recursive: true })
  writeFileSync(join(data, 'myid'), `${myid}\n`)
  const path = join(directory, 'zoo.cfg')
  const servers = ['server.1=host-1:2888:3888;2181', 'server.2=host-2:2888:3888:observer;2181']
  writeFileSync(path, [`dataDir=${data}`, ...servers, ...lines].join('\n'))
  return path
}

it("takes ZooKeeper's own configuration, and where to", () => {
  const file = zooCfg('1', 'dataLogDir=/old/log', 'admin.enableServer=false')
  expect(migrationOf(file, { to: '/new' })).toMatchObject({
    from: { data: join(directory, 'data'), log: '/old/log' },
    directories: { data: '/new', log: '/new', snapshots: '/new' },
    founder: {
      name: '1',
      peerAddress: 'host-1:2888',
      clientAddress: 'host-1:2181',
      httpAddress: '',
    },
    numbered: true,
  })
  expect(migrationOf(file, { to: '/new', toLog: '/new/log' }).directories.log).toBe('/new/log')
})

it('takes the configuration to be, and where from', () => {
  const file = zooCfg('1', 'dataLogDir=/fast/log')
  expect(migrationOf(file, { from: '/old' })).toMatchObject({
    from: { data: '/old', log: '/old' },
    directories: {
      data: join(directory, 'data'),
      log: '/fast/log',
      snapshots: join(directory, 'data'),
    },
    numbered: false,
  })
})

it('takes the number of the old directory where nothing else names the server', () => {
  zooCfg('7')
  const from = join(directory, 'data')
  expect(migrationOf(undefined, { from, fromLog: '/log', to: '/new' })).toMatchObject({
    from: { data: from, log: '/log' },
    founder: { name: '7', peerAddress: 'localhost:2888', clientAddress: 'localhost:2181' },
    numbered: true,
  })
  const named = migrationOf(undefined, { from, to: '/new', name: 'a' })
  expect([named.founder.name, named.numbered]).toEqual(['a', false])
})

it('is told what is missing', () => {
  const invalid = expect.objectContaining({ code: 'CONFIG_INVALID' })
  expect(() => migrationOf(undefined, {})).toThrow(invalid)
  expect(() => migrationOf(undefined, { from: '/old' })).toThrow(invalid)
  expect(() => migrationOf(undefined, { to: '/new' })).toThrow(invalid)
  expect(() => migrationOf(zooCfg('1'), {})).toThrow(invalid)
})

it('wants a voter: an observer founds nothing', () => {
  expect(() => migrationOf(zooCfg('2'), { to: '/new' })).toThrow(/server 2 is an observer/)
})

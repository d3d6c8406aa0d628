import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { discoverKafka } from '../../../../agent/engines/kafka/kafka-disk.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'

describe('what the log directories say of a broker', () => {
  let volume: string
  let directories: string[]

  beforeEach(() => {
    volume = mkdtempSync(join(tmpdir(), 'quorate-kafka-disk-'))
    directories = ['one', 'two'].map((name) => join(volume, name))
  })

  afterEach(() => rmSync(volume, { recursive: true }))

  function put(index: number, lines: readonly string[]): void {
    const directory = directories[index] ?? ''
    mkdirSync(directory)
    writeFileSync(join(directory, 'meta.properties'), `${lines.join('\n')}\n`)
  }

  const discover = () => discoverKafka(new MemberDisk([volume]), directories, 2)
  const own = [
    '#',
    '#Sat Nov 21 18:10:00 UTC 2026',
    'cluster.id=hZ-3_k',
    'version=0',
    'broker.id=2',
  ]
  const replaced = (index: number, line: string) =>
    own.map((each, i) => (i === index ? line : each))

  it('is empty before the first start, also when Kafka made its folders', () => {
    expect(discover()).toEqual({ kind: 'empty', founding: null })
    mkdirSync(join(volume, 'one'))
    expect(discover()).toEqual({ kind: 'empty', founding: null })
  })

  it('names cluster and broker, and whether that one was removed', () => {
    put(0, own)
    put(1, own)
    const member = { kind: 'member', clusterId: 'hZ-3_k', incarnation: '2' }
    expect(discover()).toEqual({ ...member, departed: false })
    new MemberDisk([volume]).markDeparted('2', 'today')
    expect(discover()).toEqual({ ...member, departed: true })
  })

  it('names the disk itself with KRaft, where that votes', () => {
    put(0, ['cluster.id=c', 'version=1', 'node.id=2', 'directory.id=Hh0y-AAA'])
    expect(discover()).toMatchObject({ clusterId: 'c', incarnation: 'Hh0y-AAA' })
  })

  it('is empty after its data was moved aside', () => {
    put(0, own)
    new MemberDisk([volume]).moveAside('then')
    expect(discover()).toEqual({ kind: 'empty', founding: null })
  })

  it.each([
    ['of another broker', replaced(4, 'broker.id=3'), /of broker 3, this pod is 2/],
    ['of no cluster', own.filter((line) => !line.startsWith('cluster')), /names no cluster/],
    ['of a node without its disk', ['cluster.id=c', 'node.id=2'], /or no directory/],
    ['that was cut', [], /names no cluster/],
  ])('is not read when it is %s', (_, lines, reason) => {
    put(0, lines)
    expect(discover()).toMatchObject({
      kind: 'unreadable',
      reason: expect.stringMatching(reason),
    })
  })

  it('is not read when its directories are of two clusters', () => {
    put(0, own)
    put(1, replaced(2, 'cluster.id=other'))
    expect(discover()).toMatchObject({ reason: 'log directories of hZ-3_k and other' })
  })
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../server/config/config.ts'
import { parseProperties } from '../../../server/config/java-properties.ts'
import { throttleOf } from '../../../server/config/throttle-settings.ts'
import { isReadTogether, zooCfgKeys } from '../../../server/config/zoo-cfg.ts'
import { groupOf } from '../../../server/config/zoo-cfg-keys.ts'
import { CodedError } from '../../../server/errors.ts'
import { UNTHROTTLED } from '../../../server/listener/session-throttle.ts'
import { ALL_KEYS } from './zookeeper-keys.ts'

let directory = ''
let dataDir = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-zoo-cfg-'))
  dataDir = join(directory, 'data')
  mkdirSync(dataDir)
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function load(text: string, flags: Readonly<Record<string, unknown>> = {}) {
  const file = join(directory, 'zoo.cfg')
  writeFileSync(file, text)
  return loadConfig({ file, environment: {}, flags })
}

function refusal(text: string): string {
  try {
    load(text)
  } catch (error) {
    if (error instanceof CodedError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

const THREE = [
  'server.1=zk-1:2888:3888',
  'server.2=zk-2:2889:3889:participant;2182',
  'server.3=zk-3:2890:3890:observer;127.0.0.1:2183',
]

const ensemble = (myid: number, ...lines: string[]) => {
  writeFileSync(join(dataDir, 'myid'), `${myid}\n`)
  return [`dataDir=${dataDir}`, ...THREE, ...lines].join('\n')
}

describe('zoo.cfg', () => {
  it('without servers stands alone', () => {
    const { settings, forming } = load(`tickTime=500\ndataDir=${dataDir}\nclientPort=2199\n`)
    expect(forming).toEqual({ kind: 'bootstrap' })
    expect(settings).toMatchObject({
      dataDirectory: dataDir,
      clientPort: 2199,
      sessionTimeoutMsMin: 1_000,
      sessionTimeoutMsMax: 10_000,
    })
  })

  it('does without a peer port where it stands alone and names none', () => {
    const optional = (text: string, flags = {}) => load(text, flags).peerPortOptional
    expect(optional(`dataDir=${dataDir}`)).toBe(true)
    expect(optional(`dataDir=${dataDir}\nquorate.peerPort=2888`)).toBe(false)
    expect(optional(`dataDir=${dataDir}`, { peerPort: 2888 })).toBe(false)
    expect(optional(`dataDir=${dataDir}`, { join: 'zk-1:2888' })).toBe(false)
    expect(optional(ensemble(1))).toBe(false)
  })

  it('may join an ensemble instead, by flag or by its own key', () => {
    const join = { kind: 'join', seeds: ['zk-1:2888'] }
    expect(load(`dataDir=${dataDir}`, { join: 'zk-1:2888' }).forming).toEqual(join)
    expect(load(`dataDir=${dataDir}\nquorate.join=zk-1:2888`).forming).toEqual(join)
  })

  it('with servers takes its own line by myid', () => {
    const { settings, forming } = load(ensemble(2))
    expect(settings).toMatchObject({
      name: '2',
      advertisedHost: 'zk-2',
      peerPort: 2889,
      clientPort: 2182,
      clientHost: '',
      observer: false,
      peerHost: '',
    })
    expect(forming).toEqual({
      kind: 'static',
      servers: [
        expect.objectContaining({ name: '1', peerAddress: 'zk-1:2888', observer: false }),
        expect.objectContaining({ name: '2', peerAddress: 'zk-2:2889', observer: false }),
        expect.objectContaining({ name: '3', peerAddress: 'zk-3:2890', observer: true }),
      ],
    })
  })

  it('takes an observer and the client address from the line', () => {
    expect(load(ensemble(3)).settings).toMatchObject({
      observer: true,
      clientHost: '127.0.0.1',
      clientPort: 2183,
    })
    expect(load(ensemble(3, 'clientPortAddress=10.0.0.1')).settings.clientHost).toBe('10.0.0.1')
  })

  it('finds the servers in the dynamic part', () => {
    const dynamic = join(directory, 'zoo.cfg.dynamic')
    writeFileSync(dynamic, `${THREE.join('\n')}\nversion=100000000\n`)
    writeFileSync(join(dataDir, 'myid'), '1')
    const { forming, warnings } = load(`dataDir=${dataDir}\ndynamicConfigFile=${dynamic}`)
    expect(forming.kind === 'static' && forming.servers).toHaveLength(3)
    expect(warnings.join()).not.toContain('version')
  })

  it('understands the other keys that have a setting', () => {
    const { settings } = load(
      [
        `dataDir=${dataDir}`,
        'dataLogDir: /log',
        'clientPortAddress = ::1',
        'maxClientCnxns 60',
        'maxCnxns=100',
        'minSessionTimeout=2000',
        'maxSessionTimeout=-1',
        '4lw.commands.whitelist=ruok, srvr',
        'snapCount=5000',
        'preAllocSize=1024',
        'jute.maxbuffer=2000000',
        'admin.serverPort=9090',
        'admin.serverAddress=127.0.0.1',
        'admin.idleTimeout=20000',
        'nio.sessionlessCnxnTimeout=3000',
        'peerType=observer',
        'quorate.electionTimeoutMs=600',
        '# a comment',
        '! another',
      ].join('\r\n'),
    )
    expect(settings).toMatchObject({
      logDirectory: '/log',
      clientHost: '::1',
      connectionsPerAddressMax: 60,
      connectionsMax: 100,
      sessionTimeoutMsMin: 2_000,
      sessionTimeoutMsMax: 60_000,
      fourLetterWords: ['ruok', 'srvr'],
      snapshotRequests: 5_000,
      segmentBytes: 1024 * 1024,
      frameBytesMax: 2_000_000,
      httpPort: 9090,
      httpHost: '127.0.0.1',
      httpIdleMs: 20_000,
      handshakeTimeoutMs: 3_000,
      observer: true,
      electionTimeoutMs: 600,
    })
  })

  it('understands how fast clients may come to sessions', () => {
    const { settings, warnings } = load(
      [
        `dataDir=${dataDir}`,
        'connection_throttle_tokens=500',
        'connection_throttle_fill_time=10',
        'connection_throttle_fill_count=20',
        'connection_throttle_freeze_time=250',
        'connection_throttle_drop_increase=0.05',
        'connection_throttle_drop_decrease=0.01',
        'connection_throttle_decrease_ratio=0.5',
        'connection_throttle_weight_enabled=true',
        'connection_throttle_global_session_weight=5',
        'connection_throttle_renew_session_weight=1',
      ].join('\n'),
    )
    expect(warnings.filter((warning) => warning.includes('connection_'))).toEqual([])
    expect(throttleOf(settings)).toEqual({
      tokensMax: 500,
      fillMs: 10,
      fillCount: 20,
      freezeMs: 250,
      dropIncrease: 0.05,
      dropDecrease: 0.01,
      decreaseRatio: 0.5,
      weights: { fresh: 5, renewed: 1 },
    })
    expect(throttleOf(load(`dataDir=${dataDir}`).settings)).toEqual(UNTHROTTLED)
    const wrong = refusal(`dataDir=${dataDir}\nconnection_throttle_drop_increase=much`)
    expect(wrong).toMatch(/CONFIG_INVALID: .*connection_throttle_drop_increase/)
  })

  it('without the admin server opens no HTTP port, unless ours is given', () => {
    const off = `dataDir=${dataDir}\nadmin.enableServer=false`
    expect(load(off).settings.httpPort).toBe(0)
    expect(load(`${off}\nquorate.httpPort=8081`).settings.httpPort).toBe(8081)
  })

  it('has no limit where the number is below 1', () => {
    const none = ['maxClientCnxns=-1', 'maxCnxns=-5', 'admin.idleTimeout=-1']
    const { settings } = load([`dataDir=${dataDir}`, ...none].join('\n'))
    expect(settings).toMatchObject({
      connectionsPerAddressMax: 0,
      connectionsMax: 0,
      httpIdleMs: 0,
    })
  })

  it('names keys without a meaning here in a warning, and only those', () => {
    const { warnings } = load(
      `dataDir=${dataDir}\nssl.crl=true\ninitLimit=10\nsyncLimit=5\nleaderServes=no\nwhat`,
    )
    expect(warnings[0]).toMatch(/without a meaning here: ssl\.crl, leaderServes, what$/)
  })

  it.each([
    ['clientPort=2181', /dataDir is missing/],
    ['dataDir=DATA\ntickTime=fast', /^CONFIG_INVALID: tickTime: fast/],
    ['dataDir=DATA\ntickTime=0', /^CONFIG_INVALID: tickTime: 0/],
    ['dataDir=DATA\nclientPort=70000', /^CONFIG_INVALID: clientPort \(clientPort\): /],
    ['dataDir=DATA\nmaxClientCnxns=many', /connectionsPerAddressMax \(maxClientCnxns\): /],
    ['dataDir=DATA\nsnapCount=many', /snapshotRequests \(snapCount\): "many"/],
    ['dataDir=DATA\npreAllocSize=x', /^CONFIG_INVALID: preAllocSize: x/],
    ['dataDir=DATA\npeerType=voter', /^CONFIG_INVALID: peerType: voter/],
    ['dataDir=DATA\nquorate.httpAuth=no', /httpAuth \(quorate\.httpAuth\): "no"/],
    ['dataDir=DATA\nquorate.clentPort=1', /unknown setting clentPort; did you mean clientPort/],
    ['dataDir=DATA\nserver.1=zk-1', /server\.1=zk-1 is not host:port/],
    ['dataDir=DATA\nserver.one=zk-1:1:2', /server\.one=zk-1:1:2 is not/],
    ['dataDir=DATA\nserver.1=a:1:2|b:1:2', /several addresses, and multiAddress\.enabled/],
    ['dataDir=DATA\nmultiAddress.enabled=true\nserver.1=a:1:2|b:1:2:observer', /different roles/],
    ['dataDir=DATA\nserver.1=[::1:1:2', /is not host:port/],
    ['dataDir=DATA\nserver.1=a:1:2;1;2', /is not host:port/],
    ['dataDir=DATA\nserver.1=a:1:2;b:c', /is not host:port/],
    ['dataDir=DATA\ngroup.1=1:2:3', /^CONFIG_INVALID: .*group\.1: quorums of groups and weights/],
    ['dataDir=DATA\nweight.1=2', /weight\.1: quorums of groups and weights/],
    [
      'dataDir=DATA\nserver.1=a:1:2\nquorumListenOnAllIPs=maybe',
      /quorumListenOnAllIPs: maybe is neither/,
    ],
    ['dataDir=\\u00zz', /^CONFIG_INVALID: .*four hexadecimal digits/],
    ['dataDir=DATA\nserver.1=a:1:2\ndynamicConfigFile=/nowhere', /server\.1: must be in \/nowhere/],
    ['dataDir=DATA\nserver.1=zk-1:1:2\nserver.2=zk-2:1:2', /^CONFIG_UNREADABLE: .*myid is missing/],
    ['dataDir=DATA\ndynamicConfigFile=/nowhere/x', /^CONFIG_UNREADABLE: /],
  ])('refuses %j', (text, message) => {
    expect(refusal(text.replace('DATA', dataDir))).toMatch(message)
  })

  it('refuses a myid that no line has', () => {
    expect(refusal(ensemble(9))).toMatch(/^CONFIG_INVALID: .*no line server\.9/)
  })
})

describe('the form of a zoo.cfg', () => {
  it("is that of Java's properties", () => {
    const properties = parseProperties(
      'file',
      [
        'plain=1',
        '  indented :  2 ',
        'spaced 3',
        '#comment=4 \\',
        '! comment=5',
        'continued=a,\\',
        '   b,\\',
        '',
        'not.continued=c\\\\',
        'key\\=with\\:escapes\\ in=d',
        'escapes=\\u00fc\\t\\q',
        'twice=first',
        'twice=second',
        'equals=a=b:c',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: what the file says, and what it means.
        'literal=${user.home}/x',
        'empty',
        'ends=with\\',
      ].join('\r\n'),
    )
    expect(Object.fromEntries(properties)).toEqual({
      plain: '1',
      indented: '2',
      spaced: '3',
      continued: 'a,b,',
      'not.continued': 'c\\',
      'key=with:escapes in': 'd',
      // The tab stands at the end of nothing: it stays.
      escapes: 'ü\tq',
      twice: 'second',
      equals: 'a=b:c',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what the file says, and what it means.
      literal: '${user.home}/x',
      empty: '',
      ends: 'with',
    })
  })

  it('takes yes and no however they are written, and three seconds for a tick', () => {
    const { settings } = load(`dataDir=${dataDir}\nreconfigEnabled=TRUE\nadmin.enableServer=False`)
    expect(settings).toMatchObject({
      reconfigEnabled: true,
      httpPort: 0,
      sessionTimeoutMsMin: 6_000,
      sessionTimeoutMsMax: 60_000,
    })
  })

  it('names a server by the first line of myid, as a number', () => {
    const text = ensemble(2)
    writeFileSync(join(dataDir, 'myid'), ' 02 \nsecond line\n')
    expect(load(text).settings.name).toBe('2')
    writeFileSync(join(dataDir, 'myid'), 'two')
    expect(refusal(text)).toMatch(/^CONFIG_INVALID: .*myid: "two" is no number$/)
  })

  it('needs no myid for a single server', () => {
    const { settings, forming } = load(`dataDir=${dataDir}\nserver.7=zk:2888:3888`)
    expect(settings.name).toBe('7')
    expect(forming.kind === 'static' && forming.servers).toHaveLength(1)
  })

  it('takes IPv6 in brackets, and the role from the line alone', () => {
    writeFileSync(join(dataDir, 'myid'), '1')
    const lines = [
      'server.1=[::1]:2888:3888:PARTICIPANT;[::1]:2181',
      'server.2=[fd00::2]:2888:3888',
    ]
    const { settings, forming } = load(
      [`dataDir=${dataDir}`, 'peerType=observer', ...lines].join('\n'),
    )
    expect(settings).toMatchObject({
      advertisedHost: '[::1]',
      peerHost: '::1',
      clientHost: '::1',
      clientPort: 2181,
      observer: false,
    })
    expect(forming.kind === 'static' && forming.servers[1]?.peerAddress).toBe('[fd00::2]:2888')
  })

  it.each([
    ['', 'zk-1', ''],
    ['', '127.0.0.1', '127.0.0.1'],
    ['quorumListenOnAllIPs=true', '127.0.0.1', ''],
    ['quorumListenOnAllIPs=false', 'zk-1', 'zk-1'],
  ])('listens for peers with %j on %s: %j', (line, host, peerHost) => {
    writeFileSync(join(dataDir, 'myid'), '1')
    const text = `dataDir=${dataDir}\n${line}\nserver.1=${host}:1:2\nserver.2=b:1:2`
    expect(load(text).settings.peerHost).toBe(peerHost)
  })

  it('takes the first of several addresses, and says so', () => {
    writeFileSync(join(dataDir, 'myid'), '1')
    const { settings, warnings } = load(
      `dataDir=${dataDir}\nmultiAddress.enabled=true\nserver.1=a:1:2|b:3:4;2181`,
    )
    expect([settings.advertisedHost, settings.peerPort]).toEqual(['a', 1])
    expect(warnings[0]).toMatch(/without a meaning here: server\.1 \(all addresses but the first\)/)
  })
})

describe('the keys of ZooKeeper 3.9', () => {
  const known = (key: string) =>
    zooCfgKeys[key] !== undefined || groupOf(key) !== undefined || isReadTogether(key, '')

  it.each(ALL_KEYS)('%s is a setting, or it is said what becomes of it', (key) => {
    expect(known(key)).toBe(true)
  })

  it.each([
    ['forceSync=yes', false],
    ['forceSync=no', true],
    ['autopurge.purgeInterval=1', false],
    ['localSessionsEnabled=true', false],
    ['metricsProvider.httpPort=7000', true],
    ['quorum.auth.enableSasl=false', false],
    ['quorum.auth.enableSasl=true', true],
    ['quorum.auth.learnerRequireSasl=true', false],
    ['db.autocreate=false', true],
    ['commitProcessor.numWorkerThreads=4', false],
    // Of a key that names another property altogether, and one that is misspelt.
    ['zookeeper.snapCount=5', true],
    ['initlimit=5', true],
  ])('%s is named: %s', (line, named) => {
    const { warnings } = load(`dataDir=${dataDir}\n${line}`)
    expect(warnings.some((text) => text.includes('without a meaning here'))).toBe(named)
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { Coordination } from '../../../../agent/coordination/coordination.ts'
import { UNFENCED } from '../../../../agent/engines/engine.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { mongodbEngine } from '../../../../agent/engines/mongodb/mongodb-kind.ts'
import { CertificateAuthority, type IssuedCertificate } from '../../../support/certificates.ts'
import { reservePorts } from '../../../support/ports.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { observation, set } from '../observations.ts'

const main = fileURLToPath(new URL('../../../doubles/mongodb/main.ts', import.meta.url))
const nowMs = () => performance.now()

describe('the double of mongod as a process', () => {
  const root = mkdtempSync(join(tmpdir(), 'quorate-mongodb-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  const ends = async (...words: string[]) => {
    const double = spawn(process.execPath, ['--import', 'tsx', main, ...words])
    const [code] = await once(double, 'exit')
    return code
  }

  it('starts with no key that others may read, and without no directory, as mongod', async () => {
    const key = join(root, 'key')
    writeFileSync(key, 'a2V5', { mode: 0o440 })
    expect(await ends('--dbpath', root, '--keyFile', key, '--port', '0')).toBe(1)
    expect(await ends('--dbpath', join(root, 'none'), '--port', '0')).toBe(100)
  }, 30_000)
})

describe('the engine of MongoDB over TLS, with a double in a process of its own', () => {
  const root = mkdtempSync(join(tmpdir(), 'quorate-mongodb-'))
  const authority = new CertificateAuthority()
  const others = new CertificateAuthority('Another authority')
  let current: IssuedCertificate
  let port = 0
  let double: ChildProcess
  let log = ''

  beforeAll(async () => {
    const [free = 0] = await reservePorts(1)
    port = free
    writeFileSync(join(root, 'key'), 'a2V5')
    writeFileSync(join(root, 'password'), 'secret')
    mkdirSync(join(root, 'data'))
    const words = engineWith(authority.certificate).permitLine().split(' ')
    double = spawn(process.execPath, ['--import', 'tsx', main, ...words])
    double.stdout?.on('data', (chunk: Buffer) => {
      log += String(chunk)
    })
    await waitFor('it listens', () => log.includes('listens'))
  }, 60_000)

  afterAll(() => {
    double.kill('SIGKILL')
    authority.remove()
    others.remove()
    rmSync(root, { recursive: true, force: true })
  })

  function engineWith(caFile: string, host = 'localhost') {
    current = authority.issue({ names: 'DNS:localhost' })
    const flags = {
      engine: 'mongodb',
      pod: 'q-0',
      tree: '127.0.0.1:1',
      dataDirectory: join(root, 'data'),
      permitPipe: join(root, 'run', 'permit'),
      mongodbPort: String(port),
      mongodbHosts: `${host}:${port}`,
      mongodbKeyFile: join(root, 'key'),
      mongodbAgentPasswordFile: join(root, 'password'),
      mongodbTlsCaFile: caFile,
      mongodbTlsCertificateFile: current.certificate,
      mongodbTlsKeyFile: current.key,
    }
    const config = loadAgentConfig({ environment: {}, flags })
    const disk = new MemberDisk([config.settings.dataDirectory])
    const coordination = null as unknown as Coordination
    return mongodbEngine({ config, disk, coordination, logger: pino({ level: 'silent' }), nowMs })
  }

  it('says in its log what it is', () => {
    expect(JSON.parse(log.split('\n')[0] ?? '')).toMatchObject({
      double: 'this is a double of mongod, not MongoDB',
      replSet: 'rs0',
      port,
    })
  })

  it('has mongod demand TLS, with certificate and key in one file', () => {
    const engine = engineWith(authority.certificate)
    expect(engine.permitLine()).toContain('--tlsMode requireTLS --tlsCertificateKeyFile')
    const pem = readFileSync(join(root, 'run', 'mongodb.pem'), 'utf8')
    expect(pem).toMatch(/BEGIN CERTIFICATE[\s\S]*BEGIN [A-Z ]*PRIVATE KEY/)
    expect(engine.clientPorts).toEqual({ port: null, sslPort: port })
  })

  it('trusts the authority that it was given, and only for the name of the member', async () => {
    const sees = (...given: Parameters<typeof engineWith>) => engineWith(...given).observe()
    expect(await sees(others.certificate)).toMatchObject({ answers: false })
    expect(await sees(authority.certificate, 'q-0.q')).toMatchObject({
      answers: false,
      reason: expect.stringContaining('q-0.q'),
    })
    expect(await sees(authority.certificate)).toMatchObject({ answers: true, role: 'uninitiated' })
  })

  it.each([
    ['an authority that it does not know', () => others.certificate],
    ['the file of an authority that is not there', () => join(root, 'none')],
  ])('does not take %s for silence', async (_, caFile) => {
    const engine = engineWith(authority.certificate)
    const distrustful = engineWith(caFile())
    expect(await distrustful.observe()).toMatchObject({ answers: false, silentMs: 0 })
    await pause(20)
    expect(await distrustful.observe()).toMatchObject({ answers: false, silentMs: 0 })
    expect(await engine.observe()).toMatchObject({ answers: true, silentMs: 0 })
  })

  it('forms a set whose string says that it needs TLS', async () => {
    const engine = engineWith(authority.certificate)
    const self = { set: 'q', pod: 'q-0', ordinal: 0 }
    const seen = observation({ self, statefulSet: set({ replicas: 1 }) })
    const engineView = await engine.observe()
    await engine.bootstrap({ observation: { ...seen, engine: engineView }, fence: UNFENCED })
    expect(await engine.observe()).toMatchObject({
      leads: true,
      connection: `mongodb://localhost:${port}/?replicaSet=rs0&connectTimeoutMS=5000&tls=true`,
    })
  })

  it('has the server take a certificate that was renewed', async () => {
    const engine = engineWith(authority.certificate)
    engine.permitLine()
    expect(await engine.observe()).toMatchObject({ leads: true, certificatesRenewed: false })
    const before = await fingerprint()
    const renewed = authority.issue({ names: 'DNS:localhost' })
    copyFileSync(renewed.certificate, current.certificate)
    copyFileSync(renewed.key, current.key)
    const seen = { ...observation(), engine: await engine.observe() }
    expect(seen.engine.certificatesRenewed).toBe(true)
    await engine.perform('certificates', {}, { observation: seen, fence: UNFENCED })
    expect(await engine.observe()).toMatchObject({ certificatesRenewed: false })
    const expected = new X509Certificate(readFileSync(renewed.certificate)).fingerprint256
    expect(await fingerprint()).toBe(expected)
    expect(before).not.toBe(expected)
  })

  it('tries a certificate that the server does not take again later, and does the rest meanwhile', async () => {
    const engine = engineWith(authority.certificate)
    engine.permitLine()
    const seen = { ...observation(), engine: await engine.observe() }
    copyFileSync(authority.issue().key, current.key)
    expect(await engine.observe()).toMatchObject({ certificatesRenewed: true })
    const renewed = engine.perform('certificates', {}, { observation: seen, fence: UNFENCED })
    await expect(renewed).rejects.toMatchObject({ code: 'ENGINE_REFUSED' })
    expect(await engine.observe()).toMatchObject({ leads: true, certificatesRenewed: false })
    rmSync(current.key)
    expect(await engine.observe()).toMatchObject({ answers: true, leads: true })
  })

  /** Of the certificate that the server shows. */
  async function fingerprint(): Promise<string> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: readFileSync(authority.certificate),
    })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }

  it('ends when it is told to', async () => {
    const ended = new Promise((resolve) => double.once('exit', resolve))
    double.kill('SIGTERM')
    expect(await ended).toBe(0)
  })
})

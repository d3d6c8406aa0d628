import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CodedError } from '../../../server/errors.ts'
import { Credentials } from '../../../server/tls/credentials.ts'
import { TlsDoor } from '../../../server/tls/door.ts'
import { readJks } from '../../../server/tls/jks.ts'
import { readPkcs12 } from '../../../server/tls/pkcs12.ts'
import { StoreUnreadable } from '../../../server/tls/store-entries.ts'
import type { TlsFiles } from '../../../server/tls/stores.ts'
import {
  CertificateAuthority,
  type IssuedCertificate,
  tlsFiles,
} from '../../support/certificates.ts'
import { JavaStores, type JavaStoreType, keytool } from '../../support/java-stores.ts'
import { titleOf } from '../../support/toolchain.ts'

const tool = keytool()
const authority = new CertificateAuthority()
let stores: JavaStores
const ends: (() => void)[] = []
beforeAll(() => {
  stores = new JavaStores()
})
afterEach(() => {
  for (const end of ends.splice(0)) end()
})
afterAll(() => {
  authority.remove()
  stores.remove()
})

function open(files: TlsFiles): Promise<Credentials> {
  return Credentials.open({
    name: 'client',
    files,
    policy: { versionMin: 'TLSv1.2', ciphers: '' },
    clientAuth: files.caFile === '' ? 'none' : 'need',
    pollMs: 60_000,
    log: () => {},
  })
}

/** What refuses to open the files, coded. */
async function refusal(files: TlsFiles): Promise<string> {
  const error: unknown = await open(files).then(
    () => null,
    (reason: unknown) => reason,
  )
  return error instanceof CodedError ? `${error.code} ${error.message}` : `no code: ${error}`
}

/** A port behind these files; it answers the subject of who is let in. */
async function serve(files: TlsFiles): Promise<{ port: number; credentials: Credentials }> {
  const credentials = await open(files)
  const door = new TlsDoor({
    credentials,
    handshakeTimeoutMs: 5_000,
    admitted: (socket, subject) => socket.end(`hello ${subject}`),
  })
  const server = createServer((socket) => {
    socket.on('error', () => {})
    door.take(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  const address = server.address()
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, credentials }
}

/** What the port says to a client; rejects when the handshake or what follows fails. */
function ask(port: number, options: ConnectionOptions): Promise<{ said: string; tls: TLSSocket }> {
  return new Promise((resolve, reject) => {
    const tls = connect({ port, host: '127.0.0.1', ...options })
    let said = ''
    tls.on('data', (data) => (said += data.toString()))
    tls.on('error', reject)
    tls.on('close', () =>
      said === '' ? reject(new Error('nothing said')) : resolve({ said, tls }),
    )
  })
}

function quiet(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

const types: readonly JavaStoreType[] = ['JKS', 'PKCS12']

// Java makes keys, which takes its time on a busy machine.
const KEYTOOL_MS = 120_000

describe.skipIf(tool.found === null)(
  titleOf("stores of Java's keytool", tool),
  { timeout: KEYTOOL_MS },
  () => {
    it.each(types)(
      '%s: the server shows its key, and lets in whom the other store trusts',
      async (type) => {
        const own = stores.key(type, 'localhost')
        const chosen = new CertificateAuthority('Chosen')
        const second = new CertificateAuthority('Second')
        const trust = stores.trust(type, chosen.certificate, second.certificate)
        const { port, credentials } = await serve(
          tlsFiles({
            certificateFile: own.file,
            keyPassword: own.password,
            caFile: trust.file,
            caPassword: trust.password,
          }),
        )
        const ca = readFileSync(stores.certificate(own, 'localhost'))
        const as = ({ certificate, key }: IssuedCertificate) => ({
          ca,
          cert: readFileSync(certificate),
          key: readFileSync(key),
        })
        const client = chosen.issue({ subject: '/O=Acme/CN=client' })
        expect((await ask(port, as(client))).said).toBe('hello CN=client,O=Acme')
        expect((await ask(port, as(second.issue()))).said).toBe('hello CN=server')
        await expect(ask(port, as(authority.issue()))).rejects.toThrow()
        expect(credentials.expiresInSeconds(Date.now())).toBeGreaterThan(29 * 86_400)
        for (const each of [chosen, second]) each.remove()
      },
    )

    it.each(types)('%s: a chain is shown whole, and none of it is an authority', async (type) => {
      const server = authority.issue()
      const chained = authority.file('chained.p12')
      quiet('openssl', [
        ...['pkcs12', '-export', '-in', server.certificate, '-inkey', server.key, '-out', chained],
        ...['-certfile', authority.certificate, '-passout', 'pass:secret', '-name', 'chained'],
      ])
      const store = stores.imported(type, { file: chained, password: 'secret' })
      const other = new CertificateAuthority('Other')
      const trust = stores.trust('JKS', other.certificate)
      other.remove()
      const { port } = await serve(
        tlsFiles({
          certificateFile: store.file,
          keyPassword: store.password,
          caFile: trust.file,
          caPassword: trust.password,
        }),
      )
      const client = authority.issue({ subject: '/CN=client' })
      const ca = readFileSync(authority.certificate)
      const shown = { cert: readFileSync(client.certificate), key: readFileSync(client.key) }
      // Of the server's own authority, which is not in the store of authorities.
      await expect(ask(port, { ca, ...shown })).rejects.toThrow()
      const socket = connect({ port, host: '127.0.0.1', ca, ...shown })
      socket.on('error', () => {})
      const issuer = await new Promise<string>((resolve) => {
        socket.once('secureConnect', () =>
          resolve(String(socket.getPeerCertificate(true).issuerCertificate.subject.CN)),
        )
      })
      expect(issuer).toBe('Test authority')
    })

    it('both an EC and an RSA key are served, to whom each is of use', async () => {
      const both = stores.key('JKS', 'localhost')
      quiet('keytool', [
        ...['-genkeypair', '-alias', 'rsa', '-keyalg', 'RSA', '-dname', 'CN=rsa', '-keystore'],
        ...[both.file, '-storetype', 'JKS', '-storepass', both.password, '-keypass', both.password],
      ])
      const { port } = await serve(
        tlsFiles({ certificateFile: both.file, keyPassword: both.password }),
      )
      const shown = async (signature: string) => {
        const { tls } = await ask(port, { rejectUnauthorized: false, sigalgs: signature }).catch(
          () => ({ tls: null }),
        )
        return tls
      }
      const subjects: string[] = []
      for (const sigalgs of [
        'ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384',
        'rsa_pss_rsae_sha256',
      ]) {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, sigalgs })
        socket.on('error', () => {})
        await new Promise<void>((resolve) => socket.once('secureConnect', resolve))
        subjects.push(String(socket.getPeerCertificate().subject.CN))
        socket.destroy()
      }
      expect(subjects).toEqual(['localhost', 'rsa'])
      expect(await shown('ed25519')).toBeNull()
    })

    it.each(types)('%s: a wrong password is told with the file', async (type) => {
      const own = stores.key(type, 'localhost')
      const trust = stores.trust(type, authority.certificate)
      const good = tlsFiles({
        certificateFile: own.file,
        keyPassword: own.password,
        caFile: trust.file,
        caPassword: trust.password,
      })
      await open(good)
      expect(await refusal({ ...good, keyPassword: 'wrong' })).toBe(
        `TLS_UNUSABLE ${own.file}: the password does not open it`,
      )
      expect(await refusal({ ...good, caPassword: '' })).toBe(
        `TLS_UNUSABLE ${trust.file}: the password does not open it`,
      )
    })

    it('a store that has not what it is for, or is of another kind, is refused', async () => {
      const own = stores.key('JKS', 'localhost')
      const trust = stores.trust('PKCS12', authority.certificate)
      const asKey = tlsFiles({ certificateFile: trust.file, keyPassword: trust.password })
      expect(await refusal(asKey)).toBe(`TLS_UNUSABLE ${trust.file}: has no private key`)
      const good = tlsFiles({ certificateFile: own.file, keyPassword: own.password })
      expect(await refusal({ ...good, certificateType: 'PEM' })).toBe(
        `TLS_UNUSABLE ${own.file}: is not PEM, but said to be PEM`,
      )
      // Java reads either under both names.
      await open({ ...good, certificateType: 'PKCS12' })
      const pem = authority.issue().both
      expect(await refusal(tlsFiles({ certificateFile: pem, certificateType: 'JKS' }))).toBe(
        `TLS_UNUSABLE ${pem}: is PEM, but said to be JKS`,
      )
      const bcfks = authority.file('store.bcfks')
      writeFileSync(bcfks, readFileSync(trust.file))
      expect(await refusal(tlsFiles({ certificateFile: bcfks }))).toContain(
        'is a BCFKS store; make it',
      )
      const jceks = authority.file('store.jceks')
      writeFileSync(jceks, Buffer.concat([Buffer.from('cececece', 'hex'), Buffer.alloc(60)]))
      expect(await refusal(tlsFiles({ certificateFile: jceks }))).toContain(
        'is a JCEKS store; make it',
      )
      const none = authority.file('none.jks')
      expect(await refusal(tlsFiles({ certificateFile: none }))).toContain(
        `TLS_UNUSABLE ${none}: ENOENT`,
      )
    })

    it('stores that change are in force for the next connection', async () => {
      const [first, second] = [stores.key('JKS', 'localhost'), stores.key('PKCS12', 'localhost')]
      const live = authority.file('live.jks')
      copyFileSync(first.file, live)
      // One password for both, which a file of settings has but once.
      const changed = stores.imported('PKCS12', second)
      const { port, credentials } = await serve(
        tlsFiles({ certificateFile: live, keyPassword: first.password }),
      )
      const serial = async () => {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
        socket.on('error', () => {})
        await new Promise<void>((resolve) => socket.once('secureConnect', resolve))
        const { serialNumber } = socket.getPeerCertificate()
        socket.destroy()
        return serialNumber
      }
      const before = await serial()
      copyFileSync(changed.file, live)
      await credentials.refresh()
      expect([credentials.reloads, credentials.reloadFailures]).toEqual([0, 1])
      expect(await serial()).toBe(before)
      const rekeyed = stores.key('JKS', 'localhost')
      quiet('keytool', [
        ...['-storepasswd', '-keystore', rekeyed.file, '-storepass', rekeyed.password],
        ...['-new', first.password],
      ])
      quiet('keytool', [
        ...['-keypasswd', '-alias', 'localhost', '-keystore', rekeyed.file],
        ...['-storepass', first.password, '-keypass', rekeyed.password, '-new', first.password],
      ])
      copyFileSync(rekeyed.file, live)
      await credentials.refresh()
      expect([credentials.reloads, credentials.reloadFailures]).toEqual([1, 1])
      expect(await serial()).not.toBe(before)
    })

    it('authorities may come from openssl, too', async () => {
      const caFile = authority.file('openssl.p12')
      quiet('openssl', [
        ...['pkcs12', '-export', '-nokeys', '-in', authority.certificate, '-out', caFile],
        ...['-passout', 'pass:secret'],
      ])
      const { both } = authority.issue()
      const { context } = await open(
        tlsFiles({ certificateFile: both, caFile, caPassword: 'secret' }),
      )
      const [ca] = context.ca as string[]
      const expected = new X509Certificate(readFileSync(authority.certificate)).fingerprint256
      expect(new X509Certificate(ca ?? '').fingerprint256).toBe(expected)
    })

    it('certificates come out as keytool shows them', async () => {
      for (const algorithm of ['EC', 'RSA'] as const) {
        const store = stores.key('PKCS12', 'localhost', algorithm)
        const { keys } = await readPkcs12(readFileSync(store.file), store.password)
        const shown = new X509Certificate(readFileSync(stores.certificate(store, 'localhost')))
        expect(keys.map(({ chain }) => chain.map((der) => der.equals(shown.raw)))).toEqual([[true]])
      }
    })

    it('a damaged JKS store is refused, whatever of it is damaged', () => {
      const { file, password } = stores.trust('JKS', authority.certificate)
      const whole = readFileSync(file)
      fc.assert(
        fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
          const damaged = Buffer.from(whole)
          damaged[at] = (damaged[at] ?? 0) ^ change
          expect(() => readJks(damaged, password)).toThrow(StoreUnreadable)
          expect(() => readJks(whole.subarray(0, at), password)).toThrow(StoreUnreadable)
        }),
        { numRuns: 200 },
      )
    })
  },
)

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runs, type Tool } from './toolchain.ts'

export type JavaStoreType = 'JKS' | 'PKCS12'

export interface JavaStore {
  readonly file: string
  readonly password: string
}

/** Java's own program for stores, which comes with Java. */
export function keytool(): Tool<{ readonly keytool: string }> {
  if (runs('keytool', '-help')) return { found: { keytool: 'keytool' } }
  return { found: null, reason: 'Java is missing: no keytool in PATH' }
}

/** Stores that keytool makes, in a temporary directory, which `remove` takes away. */
export class JavaStores {
  readonly directory = mkdtempSync(join(tmpdir(), 'quorate-stores-'))
  #made = 0

  /** A key with a certificate that it signed itself, for `name` as a host. */
  key(type: JavaStoreType, name: string, algorithm: 'EC' | 'RSA' = 'EC'): JavaStore {
    const store = this.#next(type, `key of ${name}`)
    this.#keytool(
      ...['-genkeypair', '-alias', name, '-keyalg', algorithm, '-dname', `CN=${name},O=Acme`],
      ...['-ext', `SAN=DNS:${name},IP:127.0.0.1`, '-validity', '30', ...storeOf(store, type)],
      ...(type === 'JKS' ? ['-keypass', store.password] : []),
    )
    return store
  }

  /** PKCS12 of OpenSSL with a key and its chain as Java keeps them in a store. */
  imported(type: JavaStoreType, pkcs12: JavaStore): JavaStore {
    const store = { ...this.#next(type, 'imported'), password: pkcs12.password }
    this.#keytool(
      ...['-importkeystore', '-noprompt', '-srckeystore', pkcs12.file, '-srcstoretype', 'PKCS12'],
      ...['-srcstorepass', pkcs12.password, '-destkeystore', store.file, '-deststoretype', type],
      ...['-deststorepass', store.password],
    )
    return store
  }

  /** Authorities, from files of PEM. */
  trust(type: JavaStoreType, ...certificates: readonly string[]): JavaStore {
    const store = this.#next(type, 'trust')
    for (const [index, file] of certificates.entries()) {
      this.#keytool(
        ...['-importcert', '-noprompt', '-alias', `ca ${index}`, '-file', file],
        ...storeOf(store, type),
      )
    }
    return store
  }

  /** The first certificate of a store, in PEM. */
  certificate({ file, password }: JavaStore, alias: string): string {
    const out = `${file}.${alias}.pem`
    this.#keytool(
      ...['-exportcert', '-rfc', '-alias', alias, '-keystore', file, '-storepass', password],
      ...['-file', out],
    )
    return out
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }

  #next(type: JavaStoreType, what: string): JavaStore {
    this.#made += 1
    const end = type === 'JKS' ? 'jks' : 'p12'
    const name = `${this.#made}-${what.replaceAll(' ', '-')}.${end}`
    return { file: join(this.directory, name), password: `pass-word-${this.#made}` }
  }

  #keytool(...args: readonly string[]): void {
    execFileSync('keytool', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }
}

function storeOf({ file, password }: JavaStore, type: JavaStoreType): string[] {
  return ['-keystore', file, '-storetype', type, '-storepass', password]
}

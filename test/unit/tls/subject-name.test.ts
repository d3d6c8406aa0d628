import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { subjectName } from '../../../server/tls/subject-name.ts'
import { CertificateAuthority } from '../../support/certificates.ts'

const authority = new CertificateAuthority()
afterAll(() => authority.remove())

function subjectOf(subject: string): string | null {
  const { certificate } = authority.issue({ subject })
  return subjectName(new X509Certificate(readFileSync(certificate)).raw)
}

/** A certificate with nothing in it but a subject, given in hex. */
function withSubject(hex: string): Buffer {
  const wrap = (content: Buffer) => Buffer.concat([Buffer.of(0x30, content.length), content])
  const empty = Buffer.of(0x30, 0)
  const serial = Buffer.of(2, 1, 1)
  return wrap(wrap(Buffer.concat([serial, empty, empty, empty, Buffer.from(hex, 'hex')])))
}

describe("a subject's name", () => {
  // What X500Principal.getName() of Java 17 gives for the same certificates.
  it.each([
    ['/C=DE/ST=Some State/L=Berlin/CN=Client One', 'CN=Client One,L=Berlin,ST=Some State,C=DE'],
    ['/O=a\\+b="x" <y>;z\\\\w, Inc./CN=1', 'CN=1,O=a\\+b\\=\\"x\\" \\<y\\>\\;z\\\\w\\, Inc.'],
    ['/emailAddress=me@x.org/CN=a', 'CN=a,1.2.840.113549.1.9.1=#16086d6540782e6f7267'],
    ['/serialNumber=42/title=Dr/CN=a', 'CN=a,2.5.4.12=#0c024472,2.5.4.5=#13023432'],
    ['/DC=example/UID=u1/street=Main 1/CN=a', 'CN=a,STREET=Main 1,UID=u1,DC=example'],
    ['/CN=multi é+OU=second/OU= lead trail ', 'OU=\\ lead trail\\ ,OU=second+CN=multi é'],
  ])('of %s is as in Java', (subject, expected) => {
    expect(subjectOf(subject)).toBe(expected)
  })

  it.each([
    ['3011310f300d06035504031e0600610e2d0062', 'CN=\\00a\u000e-\\00b'],
    ['300e310c300a06035504031203312032', 'CN=#1203312032'],
    ['300e310c300a06035504031b03612c62', 'CN=a\\,b'],
    ['300e310c300a06035504030c03610062', 'CN=a\\00b'],
    ['300d310b300906035504030c02200d', 'CN=\\ \\\r'],
    ['300b31093007060355040d0c00', '2.5.4.13=#0c00'],
    ['3000', ''],
  ])('in the bytes %s is as in Java', (hex, expected) => {
    expect(subjectName(withSubject(hex))).toBe(expected)
  })

  it('is null, and nothing worse, for bytes that are no certificate', () => {
    expect(subjectName(withSubject('3009310730050603550403'))).toBeNull()
    const real = new X509Certificate(readFileSync(authority.issue().certificate)).raw
    fc.assert(
      fc.property(fc.nat(real.length - 1), fc.nat(255), fc.nat(real.length), (at, byte, cut) => {
        const damaged = Buffer.from(real)
        damaged[at] = byte
        expect(() => subjectName(damaged.subarray(0, cut))).not.toThrow()
      }),
    )
    expect(subjectName(real.subarray(0, 60))).toBeNull()
  })
})

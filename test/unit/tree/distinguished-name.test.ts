import { describe, expect, it } from 'vitest'
import { isDistinguishedName } from '../../../server/core/tree/distinguished-name.ts'

// What `new X500Principal(id)` of Java 17 takes and refuses.
const taken = [
  'CN=a',
  '',
  'cn = a , o=b',
  '1.2.3=abc',
  'CN=',
  'CN=a+OU=b',
  'CN="a,b"',
  'CN=a\\,b',
  'CN=a;O=b',
  'emailAddress=x@y',
  'CN=a=b',
  '1.2.3=#130161',
  'CN=#130161',
  'OID.1.2.3=abc',
  'oid.2.5.4.3=x',
  'CN = "a" ',
  'CN=a\\2Cb',
  'CN=a\nb',
  'T=x',
  'IP=1.1.1.1',
  'SERIALNUMBER=4',
  'DNQ=1',
  'DC=é',
  'GIVENNAME=a,SURNAME=b',
  'CN=\\ a\\ ',
  'OU=a#b',
]
const refused = [
  'abc',
  'CN=a,O',
  '1.2.3=#0402',
  'foo=bar',
  'CN=a,,O=b',
  '=a',
  'CN=a,',
  ' ',
  'E=x',
  'CN=#zz',
  'CN="a',
  'CN=a"b"',
  'CN=a"b',
  'CN=a+',
  '+CN=a',
  'CN=a\\zb',
  'CN=a<b',
  '3.1.2=a',
  '1=a',
  'C N=a',
  'CN="a"b',
  'CN=a;',
  '2.5.4.3.=a',
  'CN=a\\',
  'C=1+',
  'CN=#1301612',
]

describe('the id of an x509 entry', () => {
  it.each(taken)('may be %j', (id) => {
    expect(isDistinguishedName(id)).toBe(true)
  })

  it.each(refused)('may not be %j', (id) => {
    expect(isDistinguishedName(id)).toBe(false)
  })

  it('is judged in no time, however long', () => {
    const startedMs = performance.now()
    for (const part of [' ', '\\,', '"', 'CN=a,', 'CN= ']) {
      isDistinguishedName(`CN=${part.repeat(200_000)}`)
      isDistinguishedName(part.repeat(200_000))
    }
    expect(performance.now() - startedMs).toBeLessThan(2_000)
  })
})

import { describe, expect, it } from 'vitest'
import { parseJaas } from '../../../server/config/jaas.ts'

const MODULE = 'org.apache.zookeeper.server.auth.DigestLoginModule'

/** The options of the only module of the only section. */
function optionsOf(options: string): Record<string, string> {
  const sections = parseJaas(`Server { ${MODULE} required ${options}; };`)
  return Object.fromEntries(sections.get('Server')?.[0]?.options ?? [])
}

describe('a JAAS file', () => {
  it('has sections, their modules, and options', () => {
    const sections = parseJaas(`
      // of the servers among each other
      QuorumServer { ${MODULE} required user_a="x"; };
      /* two
         lines */
      Server {
        ${MODULE} REQUIRED
          user_super="admin secret" / a comment as well
          user_bob=word;
        com.sun.security.auth.module.Krb5LoginModule optional
          useKeyTab=true
          "quoted key"="1";
      };
      Empty { };`)
    expect([...sections.keys()]).toEqual(['QuorumServer', 'Server', 'Empty'])
    const [digest, kerberos] = sections.get('Server') ?? []
    expect(digest?.className).toBe(MODULE)
    expect([...(digest?.options ?? [])]).toEqual([
      ['user_super', 'admin secret'],
      ['user_bob', 'word'],
    ])
    expect([...(kerberos?.options.keys() ?? [])]).toEqual(['useKeyTab', 'quoted key'])
    expect(sections.get('Empty')).toEqual([])
  })

  it('has the escapes of Java in quotes, and any other character', () => {
    const text = String.raw`user_a="x\"y\\z" "user_ü"="語 // { } ; =" user_c="\t\101\7\q"`
    expect(optionsOf(text)).toEqual({
      user_a: 'x"y\\z',
      user_ü: '語 // { } ; =',
      user_c: '\tA\x07q',
    })
  })

  it.each([
    ['Server {\n x required a=b;\n }', 3, '; behind a section'],
    ['Server {\n x needed a=b;\n};', 2, 'a control flag is'],
    ['Server {\n x required a b;\n};', 2, '= behind an option'],
    ['Server {\n x required a="b;\n};', 2, 'quotes'],
    ['Server {\n x required a=12;\n};', 2, 'quotes'],
    ['Server {\n x required\n a=;\n};', 3, 'the value of a'],
    [`Server { x required a="$\{HOME}"; };`, 1, 'a property of Java'],
    ['Server { };\nServer { };', 2, 'section Server is there twice'],
    ['{ };', 1, 'the name of a section'],
    ['Server { x', 1, 'a control flag is missing'],
  ])('that is wrong is told by its line: %j', (text, line, what) => {
    expect(() => parseJaas(text)).toThrow(`line ${line}: `)
    expect(() => parseJaas(text)).toThrow(what)
  })

  it('tells no password', () => {
    expect(() => parseJaas('Server { x required user_a="b" "secret" ; };')).toThrow(/^(?!.*secret)/)
  })
})

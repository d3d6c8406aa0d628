import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Audit, type AuditEntry, type Requester } from '../../../server/audit/audit.ts'
import { type AuditLogOptions, openAuditLog } from '../../../server/audit/audit-log.ts'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { type Operation, plainCreate } from '../../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import type { Outcome } from '../../../server/ensemble/ensemble.ts'
import { waitFor } from '../../support/wait-for.ts'

const requester: Requester = {
  session: 0x1f,
  identities: [
    { scheme: 'ip', id: '10.0.0.1' },
    { scheme: 'digest', id: 'ann:aGFzaA==' },
    { scheme: 'x509', id: 'CN=ann,O=Acme' },
    { scheme: 'super', id: '' },
  ],
  address: '10.0.0.1',
}
const who = { session: '0x1f', user: '10.0.0.1,ann,CN=ann,O=Acme,super', ip: '10.0.0.1' }
const setAcl: Operation = {
  kind: 'setAcl',
  path: '/a',
  acl: [...OPEN_ACL, { scheme: 'digest', id: 'bob:c2VjcmV0', permissions: 5 }],
  version: -1,
}
const lost: Outcome = { kind: 'lost' }
const refused: Outcome = { kind: 'refused', reason: 'noLeader' }

function trail(everything = true) {
  const entries: AuditEntry[] = []
  const audit = new Audit({
    everything,
    serverUser: 'me',
    write: (entry) => entries.push(entry),
    tellsDenial: () => true,
  })
  return { audit, entries }
}

describe('what is audited', () => {
  it('of a client without more: changes of ACLs and of the members alone', () => {
    const { audit, entries } = trail(false)
    expect(audit.tells(setAcl)).toBe(true)
    for (const operation of [plainCreate('/a', null), { kind: 'closeSession' } as const]) {
      expect(audit.tells(operation)).toBe(false)
    }
    audit.server('serverStart', 'success')
    audit.sessionEnded(7, ['/e'])
    expect(entries).toEqual([])
    audit.reconfig(requester, ErrorCode.ok)
    audit.reconfig(requester, ErrorCode.noAuth)
    audit.reconfig(requester, null)
    audit.administration({ user: 'token', ip: '10.0.0.2' }, 'removeMember', 'success', 'zk-3')
    expect(entries).toEqual([
      { ...who, operation: 'reconfig', znode: '/zookeeper/config', result: 'success' },
      { ...who, operation: 'reconfig', result: 'failure' },
      { ...who, operation: 'reconfig', result: 'unknown' },
      {
        user: 'token',
        ip: '10.0.0.2',
        operation: 'removeMember',
        member: 'zk-3',
        result: 'success',
      },
    ])
  })

  it('a write whose outcome nobody knows, and one that was refused before the log', () => {
    const { audit, entries } = trail()
    audit.write(requester, setAcl, lost)
    audit.write(requester, plainCreate('/b', null), refused)
    audit.write(requester, { kind: 'multi', operations: [plainCreate('/b', null)] }, lost)
    expect(entries).toEqual([
      {
        ...who,
        operation: 'setAcl',
        znode: '/a',
        acl: 'world:anyone:cdrwa,digest:bob:x:cr',
        result: 'unknown',
      },
      { ...who, operation: 'create', znode: '/b', znode_type: 'persistent', result: 'failure' },
      { ...who, operation: 'multiOperation', result: 'unknown' },
    ])
    expect(JSON.stringify(entries)).not.toMatch(/aGFzaA|c2VjcmV0/)
  })
})

describe('the audit log', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-audit-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const options = (lines: string[], more: Partial<AuditLogOptions> = {}): AuditLogOptions => ({
    file: '',
    everything: false,
    bufferBytesMax: 1_000,
    denialsPerSecondMax: 3,
    server: '1',
    logger: pino({ level: 'error' }, { write: (line: string) => void lines.push(line) }),
    ...more,
  })

  it('is the log of the server, whatever that has for its level', () => {
    const lines: string[] = []
    const { audit } = openAuditLog(options(lines))
    audit.write(requester, setAcl, lost)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ audit: true, ...who, operation: 'setAcl' })
  })

  it('is a file of its own, to which a later start adds', async () => {
    const file = join(directory, 'audit.log')
    const lines: string[] = []
    for (const user of ['first', 'second']) {
      const { audit, close } = openAuditLog(options(lines, { file }))
      audit.administration({ user, ip: '10.0.0.1' }, 'takeSnapshot', 'failure')
      close()
    }
    const written = () => readFileSync(file, 'utf8').split('\n').filter(Boolean)
    await waitFor('both lines', () => written().length === 2)
    expect(written().map((line) => JSON.parse(line))).toEqual(
      ['first', 'second'].map((user) => ({
        level: 40,
        time: expect.any(Number),
        server: '1',
        user,
        ip: '10.0.0.1',
        operation: 'takeSnapshot',
        result: 'failure',
      })),
    )
    expect(lines).toEqual([])
  })

  it('takes so many denied requests in a second, and says once that there were more', async () => {
    const lines: string[] = []
    const { audit } = openAuditLog(options(lines))
    const denied = () =>
      audit.denied([{ scheme: 'ip', id: '10.0.0.9' }], '10.0.0.9', { operation: 'takeSnapshot' })
    for (let request = 0; request < 10; request += 1) denied()
    const told = lines.map((line) => JSON.parse(line))
    expect(told.filter(({ audit }) => audit === true)).toHaveLength(3)
    expect(told.filter(({ leftOut }) => leftOut === 1)).toHaveLength(1)
    expect(lines).toHaveLength(4)
    await waitFor('the next second', () => {
      denied()
      return lines.length > 4
    })
    expect(JSON.parse(lines[4] ?? '')).toMatchObject({ audit: true, operation: 'takeSnapshot' })
  })

  it('says so where lines are lost, and where it cannot be opened', () => {
    const file = join(directory, 'audit.log')
    const lines: string[] = []
    const { audit } = openAuditLog(options(lines, { file, bufferBytesMax: 500 }))
    for (let line = 0; line < 50; line += 1) audit.write(requester, setAcl, lost)
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ msg: 'the audit log is not complete', file, dropped: 1 }),
    ])
    const none = join(directory, 'none', 'audit.log')
    expect(() => openAuditLog(options([], { file: none }))).toThrow(`auditFile: ENOENT`)
  })
})

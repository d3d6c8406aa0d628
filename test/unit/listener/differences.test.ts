import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { decodeClientRequest } from '../../../server/wire/client-request.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { Opcode } from '../../../server/wire/opcode.ts'
import { creation, ListenerHarness } from './client-harness.ts'

/**
 * Of docs/compatibility.md, what Quorate answers where Apache ZooKeeper is not asked: the suite that runs on
 * both cannot have it.
 */

interface AclEntry {
  readonly scheme: string
  readonly id: string | null
}

function frame(xid: number, opcode: number, body: (writer: JuteWriter) => void): Uint8Array {
  const writer = new JuteWriter()
  const start = writer.beginFrame()
  writer.int(xid)
  writer.int(opcode)
  body(writer)
  writer.endFrame(start)
  return writer.copy()
}

function createBody(writer: JuteWriter, acl: AclEntry | null, flags = 0): void {
  writer.ustring('/a')
  writer.buffer(null)
  writer.int(acl === null ? -1 : 1)
  if (acl !== null) {
    writer.int(31)
    writer.ustring(acl.scheme)
    writer.ustring(acl.id)
  }
  writer.int(flags)
}

function asked(opcode: number, body: (writer: JuteWriter) => void) {
  const harness = new ListenerHarness()
  const client = harness.open()
  client.bytes(frame(7, opcode, body))
  harness.ensemble.commitAll()
  return { ...client.reply(7), tree: harness.ensemble.machine.tree }
}

describe('what is not asked of Apache ZooKeeper', () => {
  it('null-watch-path', () => {
    const { error } = asked(Opcode.addWatch, (writer) => {
      writer.ustring(null)
      writer.int(0)
    })
    expect(error).toBe(ErrorCode.marshallingError)
  })

  it.each(['world', 'digest', 'ip'])('null-acl: an id of %s', (scheme) => {
    const { error } = asked(Opcode.create, (writer) => createBody(writer, { scheme, id: null }))
    expect(error).toBe(ErrorCode.invalidAcl)
  })

  it('null-acl: a list in a multi', () => {
    const payload = frame(7, Opcode.multi, (writer) => {
      writer.int(Opcode.create)
      writer.boolean(false)
      writer.int(-1)
      createBody(writer, null)
      writer.int(-1)
      writer.boolean(true)
      writer.int(-1)
    }).subarray(4)
    const operations = [{ ...creation('/a'), acl: [] }]
    expect(decodeClientRequest(payload)).toMatchObject({
      operation: { kind: 'multi', operations: [{ kind: 'create', path: '/a', acl: [] }] },
    })
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(7, { kind: 'multi', operations })
    harness.ensemble.commitAll()
    expect(client.reply(7).body).toMatchObject({
      kind: 'multi',
      results: [{ kind: 'error', code: ErrorCode.invalidAcl }],
    })
  })

  it.each([1, 2, 3])('container-flags: %i', (flags) => {
    const anyone = { scheme: 'world', id: 'anyone' }
    const { error, tree } = asked(Opcode.createContainer, (writer) =>
      createBody(writer, anyone, flags),
    )
    expect(error).toBe(ErrorCode.badArguments)
    expect(tree.has('/a')).toBe(false)
  })

  it('empty-path', () => {
    const client = new ListenerHarness().open()
    client.read(1, { kind: 'getAllChildrenNumber', path: '/' })
    client.read(2, { kind: 'getAllChildrenNumber', path: '' })
    expect(client.reply(2).body).toEqual(client.reply(1).body)
    expect(client.reply(1).error).toBe(0)
  })

  it('pipelined-acl', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    const acl = [{ permissions: 1, scheme: 'world', id: 'anyone' }]
    client.write(1, creation('/a'))
    client.write(2, { kind: 'setAcl', path: '/a', acl, version: -1 })
    client.write(3, creation('/a/b'))
    expect(harness.ensemble.waiting).toBe(3)
    harness.ensemble.commitAll()
    expect([1, 2, 3].map((xid) => client.reply(xid).error)).toEqual([0, 0, ErrorCode.noAuth])
  })
})

import { describe, expect, it } from 'vitest'
import { SINCE_VERSION } from '../../../server/core/machine/cluster-version.ts'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Operation } from '../../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { create, Driver, multi, remove, type Sender, setData } from './driver.ts'

/** The password that the driver gave to the session it opened on this connection. */
const passwordOf = (sender: Sender): Uint8Array => new Uint8Array(16).fill(sender.connection)

const attach = (password: Uint8Array, timeoutMs = 5000): Operation => ({
  kind: 'attachSession',
  password,
  timeoutMs,
})

const expire = (owner: Sender, decidedTerm: number): Operation => ({
  kind: 'expireSession',
  target: owner.session,
  decidedTerm,
  ownerOrigin: owner.origin,
  ownerConnection: owner.connection,
})

describe('a session', () => {
  it('is named by the zxid that created it', () => {
    const driver = new Driver()
    driver.create('/a')
    const password = new Uint8Array(16).fill(9)
    const sender = { session: 0, origin: 3, connection: 4, identities: [] }
    const result = driver.apply({ kind: 'createSession', timeoutMs: 4000, password }, sender)
    expect(result.result).toEqual({ kind: 'session', session: 2, timeoutMs: 4000, password })
    const expected = {
      id: 2,
      timeoutMs: 4000,
      password: password.slice(),
      origin: 3,
      connection: 4,
    }
    password.fill(0)
    expect(driver.machine.sessions.get(2)).toEqual(expected)
  })

  it('that was never there, or has ended, may do nothing', () => {
    const driver = new Driver()
    const closed = driver.open()
    driver.close(closed)
    for (const sender of [closed, { ...closed, session: 999 }]) {
      expect(driver.error(create('/a'), sender)).toBe(ErrorCode.sessionExpired)
      expect(driver.error(multi(create('/a')), sender)).toBe(ErrorCode.sessionExpired)
      expect(driver.error({ kind: 'closeSession' }, sender)).toBe(ErrorCode.sessionExpired)
      const attached = driver.error(attach(passwordOf(closed)), sender)
      expect(attached).toBe(ErrorCode.sessionExpired)
    }
    expect(driver.machine.tree.has('/a')).toBe(false)
  })

  it('speaks through one connection of one server only', () => {
    const driver = new Driver()
    const owner = driver.open()
    for (const other of [
      { ...owner, origin: owner.origin + 1 },
      { ...owner, connection: owner.connection + 1 },
    ]) {
      expect(driver.error(create('/a'), other)).toBe(ErrorCode.sessionMoved)
      expect(driver.error({ kind: 'closeSession' }, other)).toBe(ErrorCode.sessionMoved)
    }
    expect(driver.error(create('/a'), owner)).toBe(ErrorCode.ok)
  })
})

describe('attaching', () => {
  it('moves the session: the former connection is refused from that entry on', () => {
    const driver = new Driver()
    const before = driver.open()
    const after = { ...before, origin: 8, connection: 80 }
    const password = passwordOf(before)
    expect(driver.apply(attach(password, 9000), after).result).toEqual({
      kind: 'session',
      session: before.session,
      timeoutMs: 9000,
      password,
    })
    expect(driver.error(create('/a'), before)).toBe(ErrorCode.sessionMoved)
    expect(driver.error(create('/a'), after)).toBe(ErrorCode.ok)
    expect(driver.machine.sessions.count).toBe(1)
    expect(driver.machine.sessions.get(before.session)?.timeoutMs).toBe(9000)
  })

  it('keeps the ephemerals', () => {
    const driver = new Driver()
    const before = driver.open()
    driver.create('/e', { mode: 'ephemeral' }, before)
    const after = { ...before, connection: 80 }
    driver.ok(attach(passwordOf(before)), after)
    expect(driver.stat('/e').ephemeralOwner).toBe(before.session)
    driver.close(after)
    expect(driver.machine.tree.has('/e')).toBe(false)
  })

  it.each([
    ['of another', new Uint8Array(16).fill(200)],
    ['that is empty', new Uint8Array(0)],
    ['that is shorter', new Uint8Array(15).fill(1)],
    ['that is longer', new Uint8Array(17).fill(1)],
  ])('needs the password: one %s leaves the owner alone', (_, password) => {
    const driver = new Driver()
    const owner = driver.open()
    const thief = { ...owner, connection: 80 }
    expect(driver.error(attach(password), thief)).toBe(ErrorCode.sessionExpired)
    expect(driver.error(create('/a'), thief)).toBe(ErrorCode.sessionMoved)
    expect(driver.error(create('/a'), owner)).toBe(ErrorCode.ok)
  })
})

describe('renewing', () => {
  const renew = (timeoutMs = 5000): Operation => ({ kind: 'renewSession', timeoutMs })
  const driverOf = (version: number): Driver => {
    const driver = new Driver()
    driver.ok({ kind: 'setClusterVersion', version })
    return driver
  }

  it('moves the session as attaching does', () => {
    const driver = driverOf(SINCE_VERSION.renewals)
    const before = driver.open()
    const after = { ...before, origin: 8, connection: 80 }
    expect(driver.apply(renew(9000), after).result).toEqual({
      kind: 'session',
      session: before.session,
      timeoutMs: 9000,
      password: passwordOf(before),
    })
    expect(driver.error(create('/a'), before)).toBe(ErrorCode.sessionMoved)
    expect(driver.error(create('/a'), after)).toBe(ErrorCode.ok)
    expect(driver.error(attach(passwordOf(before)), before)).toBe(ErrorCode.ok)
  })

  it('brings no session back that has ended', () => {
    const driver = driverOf(SINCE_VERSION.renewals)
    const closed = driver.open()
    driver.close(closed)
    expect(driver.error(renew(), closed)).toBe(ErrorCode.sessionExpired)
    expect(driver.machine.sessions.count).toBe(0)
  })

  it('changes nothing where older builds do not know it', () => {
    const driver = driverOf(SINCE_VERSION.renewals - 1)
    const owner = driver.open()
    const other = { ...owner, connection: 80 }
    expect(driver.error(renew(), other)).toBe(ErrorCode.marshallingError)
    expect(driver.error(create('/a'), other)).toBe(ErrorCode.sessionMoved)
    expect(driver.error(create('/a'), owner)).toBe(ErrorCode.ok)
  })
})

describe('the end of a session', () => {
  it('takes all its ephemerals in one transaction, and those of no other', () => {
    const driver = new Driver()
    const ending = driver.open()
    const staying = driver.open()
    driver.create('/p')
    driver.create('/p/b', { mode: 'ephemeral' }, ending)
    driver.create('/p/a', { mode: 'ephemeral' }, ending)
    driver.create('/p/kept', { mode: 'ephemeral' }, staying)
    driver.create('/p/persistent', {}, ending)
    const result = driver.close(ending)
    const acl = OPEN_ACL
    const { zxid } = result
    expect(result).toMatchObject({ error: ErrorCode.ok, endedSessions: [ending.session] })
    expect(result.triggers).toEqual([
      { event: 'deleted', path: '/p/a', zxid, acl },
      { event: 'childrenChanged', path: '/p', zxid, acl },
      { event: 'deleted', path: '/p/b', zxid, acl },
      { event: 'childrenChanged', path: '/p', zxid, acl },
    ])
    expect(driver.machine.tree.children('/p').sort()).toEqual(['kept', 'persistent'])
    expect(driver.stat('/p')).toMatchObject({ pzxid: zxid, cversion: 6, numChildren: 2 })
    expect(driver.machine.tree.ephemeralCount).toBe(1)
    expect(driver.machine.sessions.get(ending.session)).toBeUndefined()
  })

  it('comes by the decision of the leader of this very term', () => {
    const driver = new Driver()
    const owner = driver.open()
    driver.create('/e', { mode: 'ephemeral' }, owner)
    driver.term = 5
    expect(driver.error(expire(owner, 4))).toBe(ErrorCode.systemError)
    expect(driver.machine.tree.has('/e')).toBe(true)
    const result = driver.apply(expire(owner, 5))
    expect(result).toMatchObject({ error: ErrorCode.ok, endedSessions: [owner.session] })
    expect(driver.machine.tree.has('/e')).toBe(false)
  })

  it('does not come to one whose client came back meanwhile', () => {
    const driver = new Driver()
    const before = driver.open()
    const after = { ...before, connection: 80 }
    driver.ok(attach(passwordOf(before)), after)
    const result = driver.apply(expire(before, 1))
    expect(result).toMatchObject({ error: ErrorCode.systemError, endedSessions: [] })
    expect(driver.error(create('/a'), after)).toBe(ErrorCode.ok)
  })

  it('comes once', () => {
    const driver = new Driver()
    const owner = driver.open()
    driver.close(owner)
    const again = driver.apply(expire(owner, 1))
    expect(again).toMatchObject({ error: ErrorCode.systemError, endedSessions: [] })
    expect(driver.apply({ kind: 'closeSession' }).endedSessions).toEqual([])
  })
})

describe('an ephemeral', () => {
  it('names its owner and has no children', () => {
    const driver = new Driver()
    const owner = driver.open()
    driver.create('/e', { mode: 'ephemeral' }, owner)
    expect(driver.stat('/e').ephemeralOwner).toBe(owner.session)
    for (const mode of ['persistent', 'ephemeral', 'container'] as const) {
      const error = driver.error(create('/e/a', { mode }), owner)
      expect(error).toBe(ErrorCode.noChildrenForEphemerals)
    }
    const sequential = driver.error(create('/e/a', { sequential: true }), owner)
    expect(sequential).toBe(ErrorCode.noChildrenForEphemerals)
  })

  it('may be written and deleted by others', () => {
    const driver = new Driver()
    const owner = driver.open()
    const other = driver.open()
    driver.create('/e', { mode: 'ephemeral' }, owner)
    driver.ok(setData('/e', 'x'), other)
    expect(driver.stat('/e').ephemeralOwner).toBe(owner.session)
    driver.ok(remove('/e'), other)
    driver.create('/e', { mode: 'ephemeral' }, other)
    expect(driver.close(owner).triggers).toEqual([])
    expect(driver.stat('/e').ephemeralOwner).toBe(other.session)
  })

  it('that was deleted before the end is not deleted again', () => {
    const driver = new Driver()
    const owner = driver.open()
    driver.create('/e', { mode: 'ephemeral' }, owner)
    driver.ok(remove('/e'), owner)
    driver.create('/e')
    driver.close(owner)
    expect(driver.machine.tree.has('/e')).toBe(true)
  })

  it('of a multi that failed is nobody’s', () => {
    const driver = new Driver()
    const owner = driver.open()
    driver.apply(multi(create('/e', { mode: 'ephemeral' }), remove('/none')), owner)
    expect(driver.machine.tree.ephemeralsOf(owner.session)).toEqual([])
    driver.create('/e')
    driver.close(owner)
    expect(driver.machine.tree.has('/e')).toBe(true)
  })
})

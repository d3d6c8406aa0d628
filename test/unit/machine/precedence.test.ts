import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Operation } from '../../../server/core/machine/operation.ts'
import { type Acl, Permission } from '../../../server/core/tree/acl.ts'
import { check, create, Driver, remove, setAcl, setData } from './driver.ts'

const NO_LIST: Acl = []
const READ_ONLY: Acl = [{ permissions: Permission.read, scheme: 'world', id: 'anyone' }]
const WRITE_ONLY: Acl = [{ permissions: Permission.write, scheme: 'world', id: 'anyone' }]
const INVALID = '/closed/\u0001'

/**
 * Which of several refusals a client hears, as PrepRequestProcessor of 3.9.5 asks its questions.
 * There is an open /open with /open/full/child and an ephemeral /open/e, and a /closed that lets
 * everyone read only, with /closed/a.
 */
function scene(): Driver {
  const driver = new Driver()
  driver.create('/open')
  driver.create('/open/full')
  driver.create('/open/full/child')
  driver.create('/open/e', { mode: 'ephemeral' }, driver.open())
  driver.create('/closed')
  driver.create('/closed/a', { acl: READ_ONLY })
  driver.create('/closed/b', { acl: WRITE_ONLY })
  driver.ok(setAcl('/closed', READ_ONLY))
  return driver
}

const CASES: readonly (readonly [string, Operation, keyof typeof ErrorCode])[] = [
  ['create: no slash, before the ACL', create('a', { acl: NO_LIST }), 'badArguments'],
  ['create: a NUL, before the ACL', create('/a\0', { acl: NO_LIST }), 'badArguments'],
  ['create: the empty path', create(''), 'badArguments'],
  ['create: the ACL, before the parent', create('/no/a', { acl: NO_LIST }), 'invalidAcl'],
  ['create: the parent, before the whole path', create('/no/./a'), 'noNode'],
  ['create: a relative path has no parent', create('a/b'), 'noNode'],
  ['create: an empty component above', create('/open//a'), 'noNode'],
  ['create: CREATE on the parent, before the path', create(INVALID), 'noAuth'],
  ['create: CREATE on the parent, before existence', create('/closed/a'), 'noAuth'],
  ['create: the whole path', create('/open/'), 'badArguments'],
  ['create: the whole path', create('//'), 'badArguments'],
  ['create: a dot', create('/open/.'), 'badArguments'],
  ['create: a surrogate', create('/open/\u{1f600}'), 'badArguments'],
  ['create: existence', create('/open'), 'nodeExists'],
  ['create: the root exists', create('/'), 'nodeExists'],
  ['create: a parent that is ephemeral', create('/open/e/a'), 'noChildrenForEphemerals'],
  ['create: the path, before the ephemeral parent', create('/open/e/\u0001'), 'badArguments'],
  ['create: an ephemeral of nobody', create('/open/f', { mode: 'ephemeral' }), 'badArguments'],
  ['delete: the root, whatever its version', remove('/', 7), 'badArguments'],
  ['delete: no slash', remove('open'), 'badArguments'],
  ['delete: a NUL', remove('/open\0'), 'badArguments'],
  ['delete: the parent', remove('/no/a'), 'noNode'],
  ['delete: DELETE on the parent, before existence', remove('/closed/none'), 'noAuth'],
  ['delete: DELETE on the parent, before the version', remove('/closed/a', 7), 'noAuth'],
  ['delete: existence', remove('/open/none', 7), 'noNode'],
  ['delete: an invalid path names nothing', remove('/open/'), 'noNode'],
  ['delete: the version, before children', remove('/open/full', 7), 'badVersion'],
  ['delete: children', remove('/open/full', 0), 'notEmpty'],
  ['setData: the path', setData('/open/', 'x'), 'badArguments'],
  ['setData: existence', setData('/open/none', 'x', 7), 'noNode'],
  ['setData: WRITE, before the version', setData('/closed/a', 'x', 7), 'noAuth'],
  ['setData: the version', setData('/closed/b', 'x', 7), 'badVersion'],
  ['setAcl: the path, before the ACL', setAcl('/open/', NO_LIST), 'badArguments'],
  ['setAcl: the ACL, before existence', setAcl('/open/none', NO_LIST), 'invalidAcl'],
  ['setAcl: existence', setAcl('/open/none', READ_ONLY, 7), 'noNode'],
  ['setAcl: ADMIN, before the version', setAcl('/closed/a', READ_ONLY, 7), 'noAuth'],
  ['setAcl: the version', setAcl('/open', READ_ONLY, 7), 'badVersion'],
  ['check: the path', check('/open/'), 'badArguments'],
  ['check: existence', check('/open/none', 7), 'noNode'],
  ['check: READ, before the version', check('/closed/b', 7), 'noAuth'],
  ['check: the version', check('/closed/a', 7), 'badVersion'],
]

describe('the order of checks', () => {
  it.each(CASES)('%s', (_, operation, code) => {
    const driver = scene()
    const before = driver.machine.tree.digest
    expect(driver.error(operation)).toBe(ErrorCode[code])
    expect(driver.machine.tree.digest).toEqual(before)
  })
})

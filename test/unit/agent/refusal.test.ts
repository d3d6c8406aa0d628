import { expect, it } from 'vitest'
import { refusalOf } from '../../../agent/core/refusal.ts'

it.each([
  ['refuses to start: disks hold the clusters c1 and c2', 'StartRefused'],
  ['refuses to form a cluster: all disks of cluster c1 are empty', 'StartRefused'],
  ['refuses service: it runs cluster c1, the tree names c2', 'ServiceRefused'],
  ['refuses to leave: 12 partitions have copies here', 'LeaveRefused'],
  ['serves as primary', null],
])('of %s the event is %s', (reason, event) => {
  expect(refusalOf(reason)).toBe(event)
})

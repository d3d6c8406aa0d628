import { describe, expect, it } from 'vitest'
import { memberDocument, readMemberDocument } from '../../../agent/core/member-document.ts'
import { publicationStep } from '../../../agent/core/publication.ts'

const facts = {
  cluster: 'orders',
  pod: 'q-1',
  namespace: 'db',
  fqdn: 'q-1.q.db.svc.cluster.local',
  ordinal: 1,
  engine: 'quorate',
  engineVersion: '1.0',
  role: 'follower',
  generation: null,
  host: 'q-1.q',
  port: 2181,
  sslPort: null,
  endpoints: { metrics: { host: 'q-1.q', port: 8080 } },
  status: 'ALIVE',
  enabled: true,
  incarnation: 3,
  registeredAtMs: 1_795_221_060_055,
  readySinceMs: 1_795_221_060_055,
} as const

describe('the member document', () => {
  it('is one document for Curator, for serversets and for plain readers', () => {
    expect(memberDocument(facts)).toEqual({
      v: 1,
      schema: 'member/v1',
      name: 'orders',
      id: 'q-1',
      address: 'q-1.q',
      port: 2181,
      sslPort: null,
      payload: {
        role: 'follower',
        incarnation: 3,
        ready: true,
        readySince: 1_795_221_060_055,
        pod: 'q-1',
        namespace: 'db',
        fqdn: 'q-1.q.db.svc.cluster.local',
        engine: 'quorate',
        engineVersion: '1.0',
      },
      registrationTimeUTC: 1_795_221_060_055,
      serviceType: 'DYNAMIC',
      uriSpec: null,
      enabled: true,
      serviceEndpoint: { host: 'q-1.q', port: 2181 },
      additionalEndpoints: { metrics: { host: 'q-1.q', port: 8080 } },
      status: 'ALIVE',
      shard: 1,
    })
  })

  it('has the count of leaders of engines that count them', () => {
    const { payload } = memberDocument({ ...facts, generation: 7 })
    expect(payload).toMatchObject({ role: 'follower', generation: 7 })
  })

  it('names the port with TLS where there is no other', () => {
    expect(memberDocument({ ...facts, port: null, sslPort: 2281 })).toMatchObject({
      port: null,
      sslPort: 2281,
      serviceEndpoint: { host: 'q-1.q', port: 2281 },
    })
  })

  it('is recognised when read back, and nothing else is', () => {
    const text = JSON.stringify(memberDocument(facts))
    expect(readMemberDocument(text)).toEqual({ id: 'q-1', incarnation: 3 })
    for (const other of ['', '7', 'null', '{', '{"id":"q-1"}', '{"id":1,"payload":{}}']) {
      expect(readMemberDocument(other)).toBeNull()
    }
  })
})

describe('publishing', () => {
  const self = { id: 'q-1', incarnation: 3 }
  const znode = { owner: 'ff', version: 4, text: 'old', document: { id: 'q-1', incarnation: 2 } }
  const step = (existing: Parameters<typeof publicationStep>[0]) =>
    publicationStep(existing, 'aa', self, 'new')

  it('creates, changes its own and leaves what is right', () => {
    expect(step(null)).toEqual({ kind: 'create' })
    expect(step({ ...znode, owner: 'aa' })).toEqual({ kind: 'set', version: 4 })
    expect(step({ ...znode, owner: 'aa', text: 'new' })).toEqual({ kind: 'none' })
  })

  it('replaces an earlier run of this member and no stranger', () => {
    expect(step(znode)).toEqual({ kind: 'replace', version: 4 })
    const later = { ...znode, document: { id: 'q-1', incarnation: 4 } }
    expect(step(later).kind).toBe('conflict')
    expect(step({ ...znode, document: { id: 'q-9', incarnation: 1 } }).kind).toBe('conflict')
    expect(step({ ...znode, document: null }).kind).toBe('conflict')
  })
})

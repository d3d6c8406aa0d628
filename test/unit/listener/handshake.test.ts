import { describe, expect, it } from 'vitest'
import { SINCE_VERSION } from '../../../server/core/machine/cluster-version.ts'
import { creation, ListenerHarness } from './client-harness.ts'

describe('the handshake', () => {
  it('answers 44 bytes with 36 and 45 bytes with 37', () => {
    for (const [readOnly, length] of [
      [null, 36],
      [false, 37],
    ] as const) {
      const harness = new ListenerHarness()
      const client = harness.connect()
      client.introduce({ readOnly })
      expect(client.lengths).toEqual([])
      harness.ensemble.commitAll()
      expect(client.lengths).toEqual([length])
      expect(client.handshake).toMatchObject({ protocolVersion: 0, sessionId: 1, readOnly })
      expect(client.handshake?.password.some((byte) => byte !== 0)).toBe(true)
      expect(client.closed).toBe(false)
    }
  })

  it.each([
    [1, 4_000],
    [-5, 4_000],
    [12_345, 12_345],
    [100_000_000, 40_000],
  ])('grants a timeout of %i as %i', (timeoutMs, granted) => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.introduce({ timeoutMs })
    harness.ensemble.commitAll()
    expect(client.handshake?.timeoutMs).toBe(granted)
    expect(client.connection.timeoutMs).toBe(granted)
  })

  it('closes without an answer while the server cannot serve', () => {
    const harness = new ListenerHarness()
    harness.ensemble.ready = false
    const client = harness.connect()
    client.introduce()
    expect([client.closed, client.writes]).toEqual([true, []])
    expect(harness.registry.count).toBe(0)
  })

  it('closes without an answer on a frame that is no handshake', () => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.bytes(Uint8Array.of(0, 0, 0, 4, 1, 2, 3, 4))
    expect([client.closed, client.writes]).toEqual([true, []])
  })

  it('closes when the leader is lost before the session is there', () => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.introduce()
    harness.ensemble.loseAll()
    expect([client.closed, client.writes]).toEqual([true, []])
  })

  it('serves a client that has seen more once this server has caught up', () => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.introduce({ lastZxidSeen: 2 })
    expect(harness.ensemble.submitted).toEqual([])
    harness.ensemble.applyForeign(creation('/a'))
    harness.ensemble.applyForeign(creation('/b'))
    harness.ensemble.passBarriers()
    harness.ensemble.commitAll()
    expect(client.handshake?.sessionId).toBe(3)
  })

  it.each([
    ['is behind even when it has caught up', true],
    ['cannot catch up', false],
  ])('sends a client that has seen more away when it %s', (_, ok) => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.introduce({ lastZxidSeen: 2 })
    harness.ensemble.applyForeign(creation('/a'))
    harness.ensemble.passBarriers(ok)
    expect([client.closed, client.writes, harness.ensemble.submitted]).toEqual([true, [], []])
  })

  it('ignores what the ensemble says when the client is already gone', () => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.introduce({ lastZxidSeen: 2 })
    client.connection.ended()
    harness.ensemble.passBarriers()
    expect(harness.ensemble.submitted).toEqual([])
    const other = harness.connect()
    other.introduce()
    other.connection.ended()
    harness.ensemble.commitAll()
    expect([client.writes, other.writes]).toEqual([[], []])
  })
})

/** A session that a server of a cluster of this version has, and its client on new connections. */
function returning(clusterVersion: number) {
  const harness = new ListenerHarness()
  harness.ensemble.applyForeign({ kind: 'setClusterVersion', version: clusterVersion })
  const { session, handshake } = harness.open()
  const password = handshake?.password ?? new Uint8Array(16)
  const back = (sessionId: number, proof: Uint8Array) => {
    const client = harness.connect()
    client.introduce({ sessionId, password: proof })
    return client
  }
  /** What was handed in since the session began. */
  const operations = () => harness.ensemble.submitted.slice(1).map(({ operation }) => operation)
  return { harness, session, password, back, operations }
}

describe('a session that comes back', () => {
  it('is attached with its password, and its former connection here closes', () => {
    const harness = new ListenerHarness()
    const first = harness.open()
    const second = harness.connect()
    const password = first.handshake?.password ?? new Uint8Array(16)
    second.introduce({ sessionId: first.session, password, timeoutMs: 20_000 })
    harness.ensemble.commitAll()
    expect(second.handshake).toMatchObject({ sessionId: first.session, timeoutMs: 20_000 })
    expect(second.handshake?.password).toEqual(password)
    expect([first.closed, second.closed]).toEqual([true, false])
    expect(harness.ensemble.touched).toContain(first.session)
  })

  it('needs no password in the log where the server has it, and a wrong one goes no further', () => {
    const { harness, session, password, back, operations } = returning(SINCE_VERSION.renewals)
    const wrong = back(session, new Uint8Array(16))
    expect(wrong.handshake).toMatchObject({ timeoutMs: 0, sessionId: 0 })
    expect([wrong.closed, operations()]).toEqual([true, []])
    const right = back(session, password)
    expect(operations()).toEqual([{ kind: 'renewSession', timeoutMs: 10_000 }])
    harness.ensemble.commitAll()
    expect(right.handshake).toMatchObject({ sessionId: session, timeoutMs: 10_000, password })
  })

  it('brings its password where the server does not have the session', () => {
    const { password, back, operations } = returning(SINCE_VERSION.renewals)
    back(999, password)
    expect(operations()).toMatchObject([{ kind: 'attachSession', password }])
  })

  it('brings its password while some server may not know better', () => {
    const { session, password, back, operations } = returning(SINCE_VERSION.renewals - 1)
    back(session, password)
    expect(operations()).toMatchObject([{ kind: 'attachSession', password }])
  })

  it('is named in the log without its client: identities are asked for at znodes', () => {
    const { harness, session, password, back } = returning(SINCE_VERSION.renewals)
    back(session, password)
    harness.ensemble.commitAll()
    expect(harness.ensemble.submitted.map(({ identities }) => identities)).toEqual([[], []])
  })

  it('leaves for another server: its connection here closes without a word', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/late'))
    const password = client.handshake?.password ?? new Uint8Array(16)
    harness.ensemble.applyForeign(
      { kind: 'attachSession', password, timeoutMs: 10_000 },
      { session: client.session, origin: 4321 },
    )
    expect(client.closed).toBe(true)
    // The write was handed in under the former owner: it changes nothing any more.
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([])
    expect(harness.ensemble.machine.tree.data('/late')).toBeUndefined()
  })

  it.each([
    ['has a wrong password', (id: number) => id, 1],
    ['is unknown', () => 999, 0],
    ['no server of ours can have given out', () => -1, 0],
  ])('is told that it expired when it %s', (_, idOf, flip) => {
    const harness = new ListenerHarness()
    const owner = harness.open()
    const password = Uint8Array.from(owner.handshake?.password ?? [])
    password[0] = (password[0] ?? 0) ^ flip
    const client = harness.connect()
    client.introduce({ sessionId: idOf(owner.session), password })
    harness.ensemble.commitAll()
    expect(client.handshake).toEqual({
      protocolVersion: 0,
      timeoutMs: 0,
      sessionId: 0,
      password: new Uint8Array(16),
      readOnly: false,
    })
    expect([client.closed, owner.closed]).toEqual([true, false])
  })

  it('that expired is told so in 36 bytes when the client sent 44', () => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.introduce({ sessionId: 5, readOnly: null })
    harness.ensemble.commitAll()
    expect([client.lengths, client.handshake?.timeoutMs]).toEqual([[36], 0])
  })
})

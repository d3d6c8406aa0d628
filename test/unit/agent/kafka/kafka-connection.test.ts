import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KafkaConnection } from '../../../../agent/engines/kafka/kafka-connection.ts'
import { listReassignments } from '../../../../agent/engines/kafka/kafka-reassignments.ts'
import { apiVersions, countLogs } from '../../../../agent/engines/kafka/kafka-requests.ts'
import { KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'
import { alive, FakeBroker, framed } from './fake-broker.ts'

const TIMEOUT_MS = 2_000

const noReassignments = new KafkaWriter().int32(0).int16(0).string(null).int32s([]).end().finish()

describe('a connection to a broker', () => {
  let broker: FakeBroker
  let connection: KafkaConnection

  beforeEach(async () => {
    broker = new FakeBroker()
    const port = await broker.listen()
    connection = new KafkaConnection({ host: '127.0.0.1', port }, null)
  })

  afterEach(() => {
    connection.close()
    broker.close()
  })

  it('gives each request its own answer, however they are cut and joined', async () => {
    const waiting: Buffer[] = []
    broker.answer = (socket, id, key) => {
      waiting.unshift(key === 18 ? framed(id, false, alive) : framed(id, true, noReassignments))
      if (waiting.length < 2) return
      for (const byte of Buffer.concat(waiting)) socket.write(Buffer.from([byte]))
    }
    const both = [
      connection.call(apiVersions, TIMEOUT_MS),
      connection.call(listReassignments(1), TIMEOUT_MS),
    ]
    expect(await Promise.all(both)).toEqual([undefined, []])
    expect(broker.sockets).toHaveLength(1)
  })

  it('tells refusals by their names', async () => {
    const refused = new KafkaWriter().int32(0).int16(41).string('not me').finish()
    broker.answer = (socket, id) => socket.write(framed(id, true, refused))
    await expect(connection.call(listReassignments(1), TIMEOUT_MS)).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
      detail: 41,
      message: 'ListPartitionReassignments: NOT_CONTROLLER: not me',
    })
  })

  it('gives up a broker that takes requests and is silent, and connects anew', async () => {
    await expect(connection.call(apiVersions, 50)).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringContaining('no answer to ApiVersions within 50 ms'),
    })
    broker.answer = (socket, id) => socket.write(framed(id, false, alive))
    await connection.call(apiVersions, TIMEOUT_MS)
    expect(broker.sockets).toHaveLength(2)
  })

  it('fails all that waits when the connection is cut', async () => {
    broker.answer = (socket) => socket.destroy()
    const both = [connection.call(apiVersions, TIMEOUT_MS), connection.call(countLogs, TIMEOUT_MS)]
    for (const settled of await Promise.allSettled(both)) {
      expect(settled).toMatchObject({ reason: { code: 'ENGINE_UNREACHABLE' } })
    }
  })

  it('does not believe answers that are no answers', async () => {
    broker.answer = (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    await expect(connection.call(apiVersions, TIMEOUT_MS)).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringMatching(/an answer of \d+ bytes/),
    })
    broker.answer = (socket, id) => socket.write(framed(id, true, Buffer.from([1])))
    await expect(connection.call(countLogs, TIMEOUT_MS)).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringMatching(/DescribeLogDirs: \d+ of \d+ bytes/),
    })
  })

  it('says that nobody listens', async () => {
    broker.close()
    await expect(connection.call(apiVersions, TIMEOUT_MS)).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })
})

import { Binary, type Document } from 'bson'
import { describe, expect, it } from 'vitest'
import { authenticate } from '../../../../agent/engines/mongodb/scram.ts'
import { keysOf, ScramConversation } from '../../../doubles/mongodb/scram-server.ts'

const credentials = { user: 'a=b,c', password: 'pencil' }

/** A login against a server whose answers are changed on their way. */
async function login(
  change: (text: string, name: string) => string,
  given = credentials,
  ended: Document = {},
): Promise<void> {
  const keys = keysOf('pencil')
  const server = new ScramConversation((user) => (user === 'a=b,c' ? keys : null))
  await authenticate(async (command) => {
    const [name = ''] = Object.keys(command)
    const reply = name === 'saslStart' ? server.start(command) : server.proceed(command)
    if (reply === null) throw new Error('refused by the server')
    const text = change(Buffer.from(reply['payload'].buffer).toString(), name)
    const changed = { ...reply, payload: new Binary(Buffer.from(text)) }
    return name === 'saslStart' ? changed : { ...changed, ...ended }
  }, given)
}

describe('a login by SCRAM-SHA-256', () => {
  it('is let in, whatever is in the name', async () => {
    await login((text) => text)
  })

  it('is refused with another password', async () => {
    const wrong = { ...credentials, password: 'pen' }
    await expect(login((text) => text, wrong)).rejects.toThrow('refused by the server')
  })

  it.each<[string, (text: string, name: string) => string]>([
    ['another nonce', (text) => text.replace(/^r=../, 'r=')],
    ['4095 iterations', (text) => text.replace(/i=\d+/, 'i=4095')],
    ['100000000 iterations', (text) => text.replace(/i=\d+/, 'i=100000000')],
    ['no proof that it knows the password', (text) => text.replace(/^v=...../, 'v=AAAAA')],
    ['no proof that it knows the password', (text, name) => (name === 'saslStart' ? text : 'e=x')],
  ])('refuses a server with %s', async (problem, change) => {
    await expect(login(change)).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
      message: expect.stringContaining(problem),
    })
  })

  it('refuses a server that has not ended', async () => {
    await expect(login((text) => text, credentials, { done: false })).rejects.toThrow('too many')
  })

  it('takes no password that would have to be prepared', async () => {
    await expect(
      login((text) => text, { ...credentials, password: 'geheim\u00e9' }),
    ).rejects.toThrow('not printable ASCII')
  })
})

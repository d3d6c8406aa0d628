import { describe, expect, it } from 'vitest'
import { httpHarness } from './harness.ts'

const CHANGES = [
  ['POST', '/v1/data', { k: 'a', v: '1' }],
  ['DELETE', '/v1/data/a', undefined],
  ['POST', '/v1/ensemble/transfer', {}],
  ['DELETE', '/v1/ensemble/members/2', undefined],
  ['POST', '/v1/snapshot', undefined],
] as const

const READS = ['/v1/data/a?consistency=local', '/v1/znodes/', '/v1/ensemble', '/livez', '/metrics']

async function statuses(mode: 'closed' | 'token', authorization?: string) {
  const { app, ensemble, close } = await httpHarness({
    authorisation: mode === 'closed' ? { mode } : { mode, token: 'right' },
  })
  const headers = authorization === undefined ? {} : { authorization }
  const answers = []
  for (const [method, url, payload] of CHANGES) {
    answers.push(
      await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) }),
    )
  }
  const read = await Promise.all(READS.map((url) => app.inject(url)))
  const submitted = ensemble.submitted.length
  await close()
  return { answers, submitted, read: read.map((answer) => answer.statusCode) }
}

describe('authorisation', () => {
  it('closed lets nobody change anything, and everybody read', async () => {
    const { answers, submitted, read } = await statuses('closed')
    for (const answer of answers) {
      expect([answer.statusCode, answer.json().code]).toEqual([403, 'HTTP_WRITES_CLOSED'])
    }
    expect([submitted, read]).toEqual([0, [404, 200, 200, 200, 200]])
  })

  it.each([undefined, 'Bearer wrong', 'Bearer ', 'Basic cmlnaHQ=', 'right'])(
    'with a token refuses %j',
    async (authorization) => {
      const { answers, submitted } = await statuses('token', authorization)
      for (const answer of answers) {
        expect([answer.statusCode, answer.headers['www-authenticate']]).toEqual([401, 'Bearer'])
        expect(answer.json().code).toBe('UNAUTHORISED')
      }
      expect(submitted).toBe(0)
    },
  )

  it('with a token lets in who has it', async () => {
    const { answers } = await statuses('token', 'Bearer right')
    expect(answers.map((answer) => answer.statusCode)).toEqual([200, 204, 202, 204, 200])
  })
})

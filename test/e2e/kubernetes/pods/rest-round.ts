/** Runs in a pod: one round of REST through the client Service, a line for each answer. */
async function ask(method: string, path: string, token: string, pair?: object): Promise<void> {
  const response = await fetch(`${process.env['URL']}${path}`, {
    method,
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(pair === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: pair === undefined ? null : JSON.stringify(pair),
  })
  const text = await response.text()
  const what = response.ok ? text : (JSON.parse(text) as { code: string }).code
  console.log(`${response.status} ${what}`)
}

const token = process.env['TOKEN'] ?? ''
await ask('POST', '/v1/data', '', { k: 'a', v: '1' })
await ask('POST', '/v1/data', token, { k: 'a', v: '1' })
await ask('GET', '/v1/data/a', '')
await ask('DELETE', '/v1/data/a', token)
await ask('GET', '/v1/data/a', '')

export {}

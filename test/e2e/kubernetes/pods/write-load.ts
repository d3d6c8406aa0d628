/**
 * Runs in a pod and writes new keys over HTTP without end, from several writers. A write that is
 * refused or unanswered is repeated until it is acknowledged; each acknowledgement is a line.
 */
const WRITERS = 4
const PACE_MS = Number(process.env['PACE_MS'] ?? 25)
const REQUEST_MS_MAX = 1_000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function acknowledged(key: string): Promise<boolean> {
  try {
    const response = await fetch(`${process.env['URL']}/v1/data`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${process.env['TOKEN']}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ k: key, v: key }),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    })
    const text = await response.text()
    if (!response.ok) console.log(`refused ${key} ${response.status} ${text}`)
    return response.ok
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? ` (${error.cause})` : ''
    console.log(`unanswered ${key} ${String(error)}${cause}`)
    return false
  }
}

async function write(writer: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const key = `load-${writer}-${n}`
    while (!(await acknowledged(key))) await pause(PACE_MS)
    console.log(`acknowledged ${key} ${Math.round(performance.now())}`)
    await pause(PACE_MS)
  }
}

process.on('SIGTERM', () => process.exit(0))
for (let writer = 0; writer < WRITERS; writer += 1) void write(writer)

/**
 * Runs in a pod: for SECONDS it probes each agent of URLS once a second as the kubelet does it, every
 * probe on a connection of its own, and reads its metrics as Prometheus does. Prints one line of JSON.
 */
import { get } from 'node:http'

const PATHS = ['/agentz', '/engine/livez', '/engine/readyz']
const PROBE_EVERY_MS = 1_000
const SCRAPE_EVERY_PROBES = 15
const TIMEOUT_MS = 5_000

interface Answer {
  readonly status: number
  readonly text: string
  readonly ms: number
}

const seconds = Number(process.env['SECONDS'])
const agents = (process.env['URLS'] ?? '').split(',').map((url) => ({
  url,
  failed: 0,
  times: [] as number[],
  rssBytesMax: 0,
  cpuSeconds: [] as number[],
}))

function ask(url: string): Promise<Answer> {
  const beganMs = performance.now()
  return new Promise((resolve) => {
    const end = (status: number, text: string) =>
      resolve({ status, text, ms: performance.now() - beganMs })
    const request = get(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () => end(response.statusCode ?? 0, text))
    })
    // A probe without an answer is a probe that failed.
    request.on('error', () => end(0, ''))
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
  })
}

function metric(metrics: string, name: string): number {
  const text = new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]
  if (text === undefined) throw new Error(`there is no ${name} in the metrics`)
  return Number(text)
}

async function scrape(agent: (typeof agents)[number]): Promise<void> {
  const { text } = await ask(`${agent.url}/metrics`)
  agent.rssBytesMax = Math.max(agent.rssBytesMax, metric(text, 'process_resident_memory_bytes'))
  agent.cpuSeconds.push(metric(text, 'process_cpu_seconds_total'))
}

const beganMs = performance.now()
for (let second = 0; second < seconds; second += 1) {
  const untilMs = beganMs + second * PROBE_EVERY_MS - performance.now()
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, untilMs)))
  for (const agent of agents) {
    if (second % SCRAPE_EVERY_PROBES === 0) await scrape(agent)
    const { status, ms } = await ask(`${agent.url}${PATHS[second % PATHS.length]}`)
    if (status !== 200) agent.failed += 1
    agent.times.push(ms)
  }
}
for (const agent of agents) await scrape(agent)
const elapsed = (performance.now() - beganMs) / 1_000
const seen = agents.map(({ failed, times, rssBytesMax, cpuSeconds }) => {
  const [first = 0] = cpuSeconds
  const cpuPercent = (100 * ((cpuSeconds.at(-1) ?? 0) - first)) / elapsed
  return { failed, times, rssBytesMax, cpuPercent }
})
console.log(JSON.stringify(seen))

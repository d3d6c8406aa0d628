import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fourLetterWord, leaderOf, type ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { type Tool, titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

/** The status page, as a person sees it in a browser. */

const SHOWS_WITHIN_MS = 20_000
const COLUMNS = ['server', 'role', 'state', 'term', 'last', 'commit', 'applied'] as const

type Row = Record<(typeof COLUMNS)[number], string>

function chromiumTool(): Tool<{ readonly executable: string }> {
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin']) {
    const executable = join(directory, 'chromium')
    try {
      accessSync(executable, constants.X_OK)
      return { found: { executable } }
    } catch {
      // Not in this directory.
    }
  }
  return { found: null, reason: 'chromium is missing: run .ci/install' }
}

const tool = chromiumTool()

describe.skipIf(tool.found === null)(titleOf('the status page', tool), () => {
  let ensemble: ServerEnsemble
  let browser: Browser
  let page: Page
  /** The index of the server that serves the page, a follower; and of the two others. */
  let own = 0
  let leader = 0
  let other = 0
  const origins = new Set<string>()
  const complaints: string[] = []

  beforeAll(async () => {
    ensemble = await quorateEnsemble({ servers: 3, settings: { 'quorate.httpAuth': 'open' } })
    await ensemble.start()
    leader = await leaderOf(ensemble)
    own = (leader + 1) % 3
    other = (leader + 2) % 3
    // A sandbox of its own needs rights that containers and root do not have; all it opens is ours.
    browser = await chromium.launch({
      executablePath: tool.found?.executable ?? '',
      args: ['--no-sandbox'],
    })
    page = await browser.newPage()
    page.on('request', (request) => origins.add(new URL(request.url()).origin))
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    await page.goto(url(own, '/'))
  })

  afterAll(async () => {
    await browser?.close()
    await ensemble?.stop()
  })

  function url(server: number, path: string): string {
    return `http://127.0.0.1:${ensemble.httpPorts[server]}${path}`
  }

  async function set(server: number, k: string, v: string): Promise<void> {
    const answer = await fetch(url(server, '/v1/data'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ k, v }),
    })
    expect(answer.status).toBe(200)
  }

  /** The table of members, cell by cell as it is shown. */
  async function rows(): Promise<Row[]> {
    const cells = await page
      .locator('tbody tr')
      .evaluateAll((lines) =>
        lines.map((line) => [...line.querySelectorAll('td')].map((cell) => cell.innerText.trim())),
      )
    return cells.map((line) => {
      const entries = COLUMNS.map((column, index) => [column, line[index] ?? ''])
      return Object.fromEntries(entries) as Row
    })
  }

  /** Waits until the table is as `isSo` wants it, and gives it. */
  async function shown(what: string, isSo: (table: readonly Row[]) => boolean): Promise<Row[]> {
    let table: Row[] = []
    const probe = async () => {
      table = await rows()
      return isSo(table) ? table : null
    }
    return await waitFor(what, probe, SHOWS_WITHIN_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}; the table is ${JSON.stringify(table)}\n${ensemble.logs()}`)
    })
  }

  /** All members are ready at one position. */
  const isLevel = (table: readonly Row[]) =>
    table.length === 3 &&
    table.every(({ state }) => state === 'ready') &&
    new Set(table.flatMap(({ last, commit, applied }) => [last, commit, applied])).size === 1

  const leaders = (table: readonly Row[]) =>
    table.filter(({ role }) => role === 'leader').map(({ server }) => server)

  const isVisible = async (place: Locator) =>
    await place.waitFor({ state: 'visible', timeout: SHOWS_WITHIN_MS })

  const znode = (name: string) => page.getByRole('button', { name: `▸ ${name}`, exact: true })
  const silence = () => page.getByRole('alert')

  it('shows who serves it, and three members with one leader', async () => {
    const table = await shown('three members that are ready', isLevel)
    expect(table.map(({ server }) => server)).toEqual(['1', '2', '3'])
    expect(leaders(table)).toEqual([String((await leaderOf(ensemble)) + 1)])
    expect(table.filter(({ role }) => role === 'follower')).toHaveLength(2)
    expect(new Set(table.map(({ term }) => term)).size).toBe(1)
    expect(Number(table[0]?.term)).toBeGreaterThan(0)
    expect(await page.locator('header').innerText()).toMatch(
      new RegExp(`^Quorate\\s+served by ${own + 1}, cluster \\S+$`),
    )
  })

  it('advances the log positions of all members after a write', async () => {
    const [before] = await shown('three members that are ready', isLevel)
    await set(other, 'a', '1')
    const isFurther = (table: readonly Row[]) =>
      isLevel(table) && Number(table[0]?.last) > Number(before?.last)
    await shown('positions behind the write', isFurther)
  })

  it('opens the tree, and shows what another server creates, changes and deletes', async () => {
    await znode('quorate').click()
    await znode('data').click()
    await isVisible(znode('a'))
    expect(await znode('meanwhile').count()).toBe(0)
    await set(other, 'meanwhile', 'the first value')
    await isVisible(znode('meanwhile'))

    await znode('meanwhile').click()
    const details = page.locator('section')
    await isVisible(details.getByText('the first value'))
    expect(await details.innerText()).toMatch(/^\/quorate\/data\/meanwhile\n/)
    await set(leader, 'meanwhile', 'the second value')
    await isVisible(details.getByText('the second value'))

    expect((await fetch(url(other, '/v1/data/meanwhile'), { method: 'DELETE' })).ok).toBe(true)
    await details.waitFor({ state: 'detached', timeout: SHOWS_WITHIN_MS })
    expect(await page.getByRole('button', { name: /meanwhile/ }).count()).toBe(0)
    await isVisible(znode('a'))
  })

  it('shows data as text, never as markup', async () => {
    const markup = '<img src="//elsewhere.invalid/x" onerror="document.title=1">'
    await set(other, 'markup', markup)
    await znode('markup').click()
    await isVisible(page.locator('section pre').getByText(markup, { exact: true }))
    expect([await page.title(), await page.locator('img').count()]).toEqual(['Quorate', 0])
  })

  it('shows a leader that is gone, the next one, and a later term', async () => {
    // A busy machine may have had an election since.
    await fourLetterWord(ensemble.clientPorts[leader] ?? 0, 'rqld')
    await waitFor('the first leader leads', async () => (await leaderOf(ensemble)) === leader)
    const [before] = await shown('three members that are ready', isLevel)
    // The browser has nothing to complain about: another server is gone, not the one it asks.
    await ensemble.kill(leader)
    const table = await shown('another leader', (now) => {
      const [next] = leaders(now)
      return (
        next !== undefined &&
        next !== String(leader + 1) &&
        (now[leader]?.role.startsWith('unreachable') ?? false)
      )
    })
    expect(Number(table[own]?.term)).toBeGreaterThan(Number(before?.term))
    await ensemble.restart(leader)
    await shown('three members that are ready again', isLevel)
  })

  it('asks no other host, and leaves nothing in the console', () => {
    expect(complaints).toEqual([])
    expect([...origins].filter((origin) => origin !== 'null')).toEqual([
      new URL(url(own, '/')).origin,
    ])
  })

  it('says that its server does not answer, and shows it again when it does', async () => {
    await silence().waitFor({ state: 'detached', timeout: SHOWS_WITHIN_MS })
    await ensemble.terminate(own)
    await isVisible(silence())
    expect(await silence().innerText()).toMatch(
      new RegExp(
        `^No answer from server ${own + 1} for \\d+ s \\(.+\\)\\. Below is what it said last`,
      ),
    )
    await ensemble.restart(own)
    await silence().waitFor({ state: 'detached', timeout: SHOWS_WITHIN_MS })
    await shown('three members that are ready again', isLevel)
  })

  it('says so too when its server hangs', async () => {
    const pid = ensemble.pids()[own] ?? 0
    process.kill(pid, 'SIGSTOP')
    try {
      await isVisible(silence())
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await silence().waitFor({ state: 'detached', timeout: SHOWS_WITHIN_MS })
  })
})

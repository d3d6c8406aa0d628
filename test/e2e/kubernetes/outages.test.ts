import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { cablesHealed, hasCables, titleWithCables } from './cables.ts'
import { run } from './cluster.ts'
import { installedSuite, WRITE_GAP_MS_MAX } from './suite.ts'

const API_GONE_MS = 120_000
/** A cut leader is replaced by an election, and a client that waits for it gives up after a second. */
const CUT_GAP_MS_MAX = 6_000

describe.skipIf(!hasCables).sequential(titleWithCables('cables cut'), { timeout: 600_000 }, () => {
  const { release, load } = installedSuite('outages')
  afterEach(() => load.stop(), 60_000)
  const cables = cablesHealed()

  it('keeps the membership when the node of the leader is cut off', async () => {
    const leader = await release.leader()
    const before = await release.memberIds()
    const { nodeName } = (await release.pod(leader)).spec
    const others = (await release.pods()).map(({ spec }) => spec.nodeName)
    await load.start(others.find((node) => node !== nodeName))
    const from = (await load.acknowledged()).length
    cables.cut(nodeName)
    const notReady = '--for=condition=Ready=Unknown'
    await run('kubectl', ['wait', notReady, `node/${nodeName}`, '--timeout=90s'])
    await load.goesOn()
    expect(await release.memberIds((leader + 1) % 3)).toEqual(before)
    const gapMs = await load.longestGapMs(from)
    console.log(`node of the leader cut: longest time without an acknowledged write ${gapMs} ms`)
    expect(gapMs).toBeLessThan(CUT_GAP_MS_MAX)
    await cables.heal()
    await release.rolledOut()
    await waitFor('it is back', async () => (await release.view(leader)).ready, 120_000)
    expect(await release.memberIds(leader)).toEqual(before)
    expect(await load.lost(leader)).toEqual([])
  })

  it('is not harmed when the API server is gone for two minutes', async () => {
    const before = await release.memberIds()
    const restarts = await allRestarts()
    await load.start()
    const from = (await load.acknowledged()).length
    cables.cut('cp')
    // The length of the outage is what is tested; nothing of the cluster can be asked meanwhile.
    await new Promise((resolve) => setTimeout(resolve, API_GONE_MS))
    await cables.heal()
    await load.goesOn()
    const gapMs = await load.longestGapMs(from)
    console.log(`no API server: longest time without an acknowledged write ${gapMs} ms`)
    expect(gapMs).toBeLessThan(WRITE_GAP_MS_MAX)
    await release.rolledOut()
    expect(await release.memberIds()).toEqual(before)
    expect(await allRestarts()).toEqual(restarts)
    expect(await load.lost()).toEqual([])
  })

  const allRestarts = () => Promise.all([0, 1, 2].map((ordinal) => release.restarts(ordinal)))
})

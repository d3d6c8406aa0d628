import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { Namespace, Release } from './cluster.ts'
import { WriteLoad } from './write-load.ts'

/** Longest time without an acknowledged write that a planned change or the loss of one may cost. */
export const WRITE_GAP_MS_MAX = 3_000

export interface Suite {
  readonly namespace: Namespace
  readonly release: Release
  readonly load: WriteLoad
}

/**
 * A namespace and a release for the tests of one file, which share them in their order. The release
 * is not installed. What the namespace looked like is printed where a test fails.
 */
export function suite(
  name: string,
  release = (namespace: Namespace) => new Release(namespace, name),
) {
  const namespace = new Namespace(name)
  const made = release(namespace)
  beforeAll(() => namespace.create(), 300_000)
  afterAll(() => namespace.remove(), 300_000)
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => console.log(await namespace.report()), 60_000)
  })
  return { namespace, release: made, load: new WriteLoad(made) } satisfies Suite
}

/** The same with the release installed, its servers Ready and all of them members. */
export function installedSuite(name: string): Suite {
  const made = suite(name)
  beforeAll(async () => {
    await made.release.install()
    await made.release.rolledOut()
    await made.release.hasMembers(3)
  }, 300_000)
  return made
}

/**
 * A namespace for the tests of one file, which share it in their order, and another for privileged pods, which strike
 * at nodes. What the first looked like is printed where a test fails.
 */
export function namespaceWithHost(name: string) {
  const namespace = new Namespace(name)
  const host = new Namespace(`${name}-host`)
  beforeAll(async () => {
    await namespace.create()
    await host.create('privileged')
  }, 300_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(await namespace.report())
  }, 120_000)
  afterAll(async () => {
    await namespace.remove()
    await host.remove()
  }, 300_000)
  return { namespace, host }
}

/**
 * Resolves with the longest gap in the writes during `change`, and with those acknowledged that
 * the server of ordinal `witness` does not have afterwards.
 */
export async function writesThrough(
  load: WriteLoad,
  what: string,
  change: () => Promise<void>,
  witness = 0,
): Promise<{ readonly gapMs: number; readonly lost: readonly string[] }> {
  const from = (await load.acknowledged()).length
  await change()
  await load.goesOn()
  const gapMs = await load.longestGapMs(from)
  console.log(`${what}: longest time without an acknowledged write ${gapMs} ms`)
  return { gapMs, lost: await load.lost(witness) }
}

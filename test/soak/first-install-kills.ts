import { installThroughKills } from '../unit/agent/kills.ts'
import { Release } from '../unit/agent/pods.ts'

const KILLS_PER_INSTALL = 8

/** First installs of three pods, each killed at random again and again, until `kills` are done. */
export async function firstInstallKills(kills: number) {
  const failures: { readonly install: number; readonly message: string }[] = []
  let done = 0
  let installs = 0
  while (done < kills) {
    installs += 1
    const release = await Release.create(3)
    try {
      done += await installThroughKills(release, KILLS_PER_INSTALL, installs)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      failures.push({ install: installs, message })
      console.log(`install ${installs}: ${message}`)
      for (const pod of release.pods) console.log(pod.log())
      done += KILLS_PER_INSTALL
    } finally {
      await release.close()
    }
    console.log(`${installs} installs, ${done} kills, ${failures.length} failed`)
  }
  return { passed: failures.length === 0, installs, kills: done, failures }
}

import { aclSuite } from './suite/acls.ts'
import { cornerSuite } from './suite/corners.ts'
import { createSuite } from './suite/creates.ts'
import { dataSuite } from './suite/data.ts'
import { fourLetterSuite, standaloneWords } from './suite/four-letter-words.ts'
import { frameSuite } from './suite/frames.ts'
import { laterSuite } from './suite/later-operations.ts'
import { multiSuite } from './suite/multis.ts'
import { pathSuite } from './suite/paths.ts'
import { restartSuite } from './suite/restarts.ts'
import { sessionRaceSuite } from './suite/session-races.ts'
import { sessionSuite } from './suite/sessions.ts'
import { setWatchesSuite } from './suite/set-watches.ts'
import type { Supports, Target } from './suite/target.ts'
import { watchSuite } from './suite/watches.ts'

/**
 * What a client sees of ZooKeeper 3.9, over raw frames. The same tests run against Apache ZooKeeper
 * and against Quorate; `supports` names the few places where one of them does more or less.
 */
export function conformanceSuite(target: Target, supports: Supports): void {
  sessionSuite(target, supports)
  sessionRaceSuite(target, supports)
  frameSuite(target, supports)
  pathSuite(target)
  createSuite(target)
  dataSuite(target)
  aclSuite(target)
  watchSuite(target)
  setWatchesSuite(target)
  multiSuite(target)
  laterSuite(target, supports)
  cornerSuite(target)
  fourLetterSuite(target)
  restartSuite(target)
}

/** What is worth seeing of a server that stands alone. */
export function standaloneSuite(target: Target, supports: Supports): void {
  sessionRaceSuite(target, supports)
  frameSuite(target, { ...supports, truncatedWrites: true })
  standaloneWords(target)
}

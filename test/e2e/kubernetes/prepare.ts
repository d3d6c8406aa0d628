import { spawnSync } from 'node:child_process'
import { Testbed } from './testbed.ts'

/** What a run on a cluster needs, for people who have neither kind. */
export const NEEDS = `This needs a cluster: either a kubeconfig whose cluster answers (kubectl, helm) and
QUORATE_E2E_IMAGE=REGISTRY/REPOSITORY:TAG, an image of this repository that its nodes can pull, or a
testbed at ../shared/testbed (another place: QUORATE_TESTBED).`

const answers = (command: string, ...args: string[]) =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** Makes a cluster and the image ready; resolves with what is to be done at the end, or null. */
export function prepare(): { readonly end: () => void } | null {
  const testbed = Testbed.find()
  if (testbed?.isUp()) {
    testbed.enter()
    process.env['QUORATE_E2E_IMAGE'] ??= testbed.provideImage()
    return { end: () => {} }
  }
  const current =
    answers('kubectl', 'get', '--raw', '/readyz', '--request-timeout=10s') &&
    answers('helm', 'version')
  if (current && process.env['QUORATE_E2E_IMAGE'] !== undefined) return { end: () => {} }
  if (current || testbed === null) return null
  try {
    testbed.up()
    testbed.enter()
    process.env['QUORATE_E2E_IMAGE'] = testbed.provideImage()
  } catch (error) {
    testbed.down()
    throw error
  }
  return { end: () => testbed.down() }
}

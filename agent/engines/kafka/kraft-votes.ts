import type { StartMode } from '../../core/start-rule.ts'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Fence } from '../engine.ts'
import {
  addVoter,
  type ControllerPlace,
  describeQuorum,
  removeVoter,
} from './kafka-quorum-requests.ts'
import type { KafkaRequest } from './kafka-requests.ts'

/** What is done to the disk before a start: flags of `kafka-storage.sh format`. */
const FORMATS: Readonly<Record<StartMode, string | null>> = {
  bootstrap: '--standalone',
  join: '--no-initial-controllers',
  resume: null,
}

/** Sends a request to the leader of the quorum, on whatever way. */
export type AskQuorum = <T>(request: KafkaRequest<T>, timeoutMs?: number) => Promise<T>

/** The words of a permit that have an empty disk formatted; none where it holds a cluster. Throws TREE_UNREADABLE. */
export function formatWords(mode: StartMode, clusterId: string | undefined): readonly string[] {
  const flag = FORMATS[mode]
  if (flag === null) return []
  if (clusterId === undefined || clusterId === '') {
    throw new AgentError('TREE_UNREADABLE', 'no cluster id is known')
  }
  return [`--format ${clusterId} ${flag}`]
}

/** The id of a cluster that is founded under this nonce: one that began with `-` would be taken for a flag. */
export function foundersId(nonce: string | undefined): string | undefined {
  return nonce?.replace(/^-/, 'A')
}

/** Gives a disk a vote, in place of the one that the node had with another; false: it had it. */
export async function giveVote(
  ask: AskQuorum,
  voter: { readonly id: number; readonly directoryId: string },
  place: ControllerPlace,
  fence: Fence,
): Promise<boolean> {
  const quorum = await ask(describeQuorum)
  const own = quorum.voters.find(({ id }) => id === voter.id)
  if (own?.directoryId === voter.directoryId) return false
  if (own !== undefined) {
    fence.check()
    await ask(removeVoter(own))
  }
  fence.check()
  const timeoutMs = limits.kafkaAnswerMs
  await ask(addVoter(voter, place, timeoutMs), 2 * timeoutMs)
  return true
}

/** Takes the vote of a node away, with whatever disk it has it. */
export async function takeVote(ask: AskQuorum, id: number, fence: Fence): Promise<void> {
  const quorum = await ask(describeQuorum)
  const own = quorum.voters.find((voter) => voter.id === id)
  if (own === undefined) return
  fence.check()
  await ask(removeVoter(own))
}

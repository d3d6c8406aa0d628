import type { KafkaCluster } from '../../agent/engines/kafka/kafka-cluster.ts'
import { describeQuorum, type QuorumView } from '../../agent/engines/kafka/kafka-quorum-requests.ts'
import { waitFor } from '../support/wait-for.ts'

/** How long a vote may take that goes from one disk to another, or to one member more. */
const WITHIN_MS = 90_000

/** Who votes and who leads in a quorum of KRaft, as a running broker tells it; `firstId`: the node of ordinal 0. */
export class KafkaQuorum {
  readonly #cluster: KafkaCluster
  readonly #firstId: number

  constructor(cluster: KafkaCluster, firstId = 0) {
    this.#cluster = cluster
    this.#firstId = firstId
  }

  async view(): Promise<QuorumView> {
    await this.#cluster.metadata([])
    return await this.#cluster.askAny(describeQuorum)
  }

  ordinalOf(id: number): number {
    return id - this.#firstId
  }

  async votersAre(...ordinals: readonly number[]): Promise<void> {
    const wanted = ordinals.join()
    await waitFor(
      `${wanted} vote`,
      async () => {
        const found = (await this.view()).voters.map(({ id }) => this.ordinalOf(id))
        if (found.sort((a, b) => a - b).join() === wanted) return true
        throw new Error(found.join())
      },
      WITHIN_MS,
    )
  }

  /** Waits until another one leads than in what was seen before. */
  async isLedAnew(since: QuorumView): Promise<void> {
    await waitFor('another leads', async () => {
      const now = await this.view()
      return now.leaderId >= 0 && now.leaderId !== since.leaderId && now.epoch > since.epoch
    })
  }

  /** Waits until the vote of a member is that of another disk than before, and as many vote. */
  async votesByAnotherDisk(ordinal: number, since: QuorumView): Promise<void> {
    const vote = ({ voters }: QuorumView) =>
      voters.find(({ id }) => this.ordinalOf(id) === ordinal)?.directoryId
    await waitFor(
      'the new disk votes',
      async () => {
        const now = await this.view()
        return now.voters.length === since.voters.length && vote(now) !== vote(since)
      },
      WITHIN_MS,
    )
  }
}

/** The disks that vote, whoever leads. */
export function disksOf({ voters }: QuorumView): readonly string[] {
  return voters.map(({ directoryId }) => directoryId).sort()
}

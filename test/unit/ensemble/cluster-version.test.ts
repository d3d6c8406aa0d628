import { describe, expect, it } from 'vitest'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import type { Member } from '../../../server/core/raft/message.ts'
import type { RaftStatus } from '../../../server/core/raft/step.ts'
import type { Outcome } from '../../../server/ensemble/ensemble.ts'
import { LeaderDuties, type LeaderDutiesOptions } from '../../../server/ensemble/leader-duties.ts'
import { CLUSTER_VERSION_MAX } from '../../../server/ensemble/replica-options.ts'
import type { Hello } from '../../../server/wire/peer-frame.ts'

const OLDER = CLUSTER_VERSION_MAX - 1

/** Server 1 leads; the others are linked as `versions` says: name to newest version. */
function leading(memberNames: readonly string[], versions: Readonly<Record<string, number>>) {
  const machine = new StateMachine()
  const membership = { changing: false }
  const asked: { readonly version: number; readonly done: (outcome: Outcome) => void }[] = []
  const links = Object.entries(versions).map(([name, versionMax]) => ({
    id: `id-${name}`,
    versionMax,
  }))
  const options: Partial<Record<keyof LeaderDutiesOptions, unknown>> = {
    machine: () => machine,
    membership,
    transport: { links: () => links as Partial<Hello>[] },
    submit: ((submission, done) => {
      const { operation } = submission
      if (operation.kind === 'setClusterVersion') asked.push({ version: operation.version, done })
    }) satisfies LeaderDutiesOptions['submit'],
  }
  const members = memberNames.map((name): Partial<Member> => ({ id: `id-${name}` }))
  return {
    duties: new LeaderDuties(options as unknown as LeaderDutiesOptions),
    status: { id: 'id-1', members } as Partial<RaftStatus> as RaftStatus,
    versions: () => asked.map(({ version }) => version),
    lost: () => asked.at(-1)?.done({ kind: 'lost' }),
    membership,
  }
}

describe('the cluster version', () => {
  it('is asked for once, again when that was lost, and needed from then on', () => {
    const { duties, status, versions, lost } = leading(['1', '2'], { 2: CLUSTER_VERSION_MAX })
    expect(duties.versionNeeded).toBe(0)
    duties.setFirstVersion(status)
    duties.raiseClusterVersion(status)
    expect(versions()).toEqual([CLUSTER_VERSION_MAX])
    expect(duties.versionNeeded).toBe(CLUSTER_VERSION_MAX)
    lost()
    expect(duties.versionNeeded).toBe(0)
    duties.raiseClusterVersion(status)
    expect(versions()).toEqual([CLUSTER_VERSION_MAX, CLUSTER_VERSION_MAX])
  })

  it('is not above what a member can apply, and not asked for while one was not heard', () => {
    const old = leading(['1', '2', '3'], { 2: OLDER, 3: CLUSTER_VERSION_MAX })
    old.duties.raiseClusterVersion(old.status)
    expect(old.versions()).toEqual([OLDER])
    const unheard = leading(['1', '2', '3'], { 2: CLUSTER_VERSION_MAX })
    unheard.duties.setFirstVersion(unheard.status)
    unheard.duties.raiseClusterVersion(unheard.status)
    expect(unheard.versions()).toEqual([])
  })

  it('of a new cluster minds servers that have yet to join; later they are refused', () => {
    const versions = { 2: CLUSTER_VERSION_MAX, 3: OLDER }
    const fresh = leading(['1', '2'], versions)
    fresh.duties.setFirstVersion(fresh.status)
    expect(fresh.versions()).toEqual([OLDER])
    const later = leading(['1', '2'], versions)
    later.duties.raiseClusterVersion(later.status)
    expect(later.versions()).toEqual([CLUSTER_VERSION_MAX])
  })

  it('waits for the end of a change of the members, who may be others then', () => {
    const { duties, status, versions, membership } = leading(['1'], {})
    membership.changing = true
    duties.raiseClusterVersion(status)
    expect(versions()).toEqual([])
    membership.changing = false
    duties.raiseClusterVersion(status)
    expect(versions()).toEqual([CLUSTER_VERSION_MAX])
  })
})

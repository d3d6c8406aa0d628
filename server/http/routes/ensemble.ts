import { Type } from 'typebox'
import type { EnsembleStatus } from '../../ensemble/ensemble.ts'
import { CodedError } from '../../errors.ts'
import type { App } from '../app-instance.ts'
import type { RouteContext } from '../route-context.ts'

/** A member's own view is asked over HTTP for the page; later than this it counts as unreachable. */
const PEER_VIEW_TIMEOUT_MS = 800

const Transfer = Type.Object({ to: Type.Optional(Type.String()) }, { additionalProperties: false })
const NamedServer = Type.Object({ name: Type.String({ minLength: 1 }) })

/** Members, roles and log positions; leadership transfer and removal. */
export function ensembleRoutes(app: App, context: RouteContext): void {
  const { ensemble, authorise } = context

  app.get(
    '/v1/ensemble',
    { schema: { summary: 'The ensemble as this server sees it' } },
    async () => viewOf(ensemble.status()),
  )

  app.get(
    '/v1/ensemble/servers',
    { schema: { summary: 'Each server as it sees itself, gathered by this one' } },
    async () => gather(ensemble.status()),
  )

  app.post(
    '/v1/ensemble/transfer',
    {
      preHandler: authorise,
      schema: { summary: 'Hand leadership to a server, or to the best one', body: Transfer },
    },
    async (request, reply) => {
      const { members } = ensemble.status().raft
      const { to } = request.body
      const target = to === undefined ? null : members.find((member) => member.name === to)?.id
      if (target === undefined) throw new CodedError('MEMBER_NOT_FOUND', `no server ${to}`)
      const answer = ensemble.transferLeadership(target)
      if (answer === 'notLeader') throw notLeader(ensemble.status())
      if (answer === 'noTarget')
        throw new CodedError('NO_TRANSFER_TARGET', 'no other voter answers')
      return reply.code(202).send({ status: 'started' })
    },
  )

  app.delete(
    '/v1/ensemble/members/:name',
    {
      preHandler: authorise,
      schema: { summary: 'Remove a server from the configuration', params: NamedServer },
    },
    async (request, reply) => {
      const refusal = await new Promise<string | null>((resolve) => {
        ensemble.removeMember(request.params.name, resolve)
      })
      if (refusal === null) return reply.code(204).send(null)
      if (refusal === 'notLeader') throw notLeader(ensemble.status())
      if (refusal === 'unknownMember') {
        throw new CodedError('MEMBER_NOT_FOUND', `no server ${request.params.name}`)
      }
      throw new CodedError('CHANGE_REFUSED', refusal)
    },
  )

  app.post(
    '/v1/ensemble/members/:name',
    {
      preHandler: authorise,
      schema: { summary: 'Let a removed server come back with its disk', params: NamedServer },
    },
    async (request, reply) => {
      const { name } = request.params
      const refusal = await new Promise<string | null>((resolve) => {
        ensemble.readmitMember(name, resolve)
      })
      if (refusal === null) return reply.code(202).send({ status: 'awaited' })
      if (refusal === 'notLeader') throw notLeader(ensemble.status())
      if (refusal === 'unknownMember') {
        throw new CodedError('MEMBER_NOT_FOUND', `no server ${name} was removed`)
      }
      throw new CodedError('CHANGE_REFUSED', refusal)
    },
  )

  app.post(
    '/v1/snapshot',
    { preHandler: authorise, schema: { summary: 'Take a snapshot now on this server' } },
    async () => {
      const { refusal, index } = await new Promise<{ refusal: string | null; index: number }>(
        (resolve) => ensemble.takeSnapshot((reason, at) => resolve({ refusal: reason, index: at })),
      )
      if (refusal !== null) throw new CodedError('SNAPSHOT_REFUSED', refusal)
      return { index }
    },
  )
}

function notLeader(status: EnsembleStatus): CodedError {
  const leader = status.raft.members.find((member) => member.id === status.raft.leader)
  return new CodedError('NOT_LEADER', `ask the leader, ${leader?.name ?? 'unknown now'}`, {
    leader: leader?.httpAddress ?? null,
  })
}

/** Positions and members; the leader adds how far each follower is. */
function viewOf(status: EnsembleStatus) {
  const { raft } = status
  return {
    name: status.name,
    id: status.id,
    clusterId: status.clusterId,
    role: raft.role,
    term: raft.term,
    leader: status.leaderName,
    ready: status.ready,
    reason: status.notReadyReason,
    contact: status.contact,
    firstIndex: raft.firstIndex,
    lastIndex: raft.lastIndex,
    commit: raft.commit,
    applied: raft.applied,
    snapshotIndex: status.snapshotIndex,
    zxid: `0x${status.zxid.toString(16)}`,
    znodes: status.znodes,
    sessions: status.sessions,
    watches: status.watches,
    logBytes: status.logBytes,
    members: raft.members.map((member) => {
      const progress = raft.progress.find((entry) => entry.peer === member.id)
      return {
        ...member,
        leader: member.id === raft.leader,
        match: progress?.match ?? null,
        state: progress?.state ?? null,
        silentMs: progress === undefined ? null : progress.silentTicks * status.tickMs,
      }
    }),
  }
}

type View = ReturnType<typeof viewOf>

async function gather(status: EnsembleStatus) {
  const own = viewOf(status)
  const servers = await Promise.all(
    own.members.map(async (member) => {
      const place = {
        name: member.name,
        address: member.clientAddress,
        configuredRole: member.observer ? 'observer' : member.role,
      }
      if (member.id === own.id) return { ...place, reachable: true, ...brief(own) }
      try {
        const response = await fetch(`http://${member.httpAddress}/v1/ensemble`, {
          signal: AbortSignal.timeout(PEER_VIEW_TIMEOUT_MS),
        })
        return { ...place, reachable: true, ...brief((await response.json()) as View) }
      } catch (error) {
        // An unreachable server is what this view is there to show.
        const reason = error instanceof Error ? error.message : String(error)
        return { ...place, reachable: false, reason }
      }
    }),
  )
  return { self: own.name, clusterId: own.clusterId, leader: own.leader, servers }
}

function brief(view: View) {
  const { role, term, commit, applied, lastIndex, zxid, sessions, ready, reason } = view
  return { role, term, commit, applied, lastIndex, zxid, sessions, ready, reason }
}

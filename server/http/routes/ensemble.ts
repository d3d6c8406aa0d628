import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Ensemble, EnsembleStatus } from '../../ensemble/ensemble.ts'
import { CodedError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { VERSION } from '../../version.ts'
import { administer } from '../administration.ts'
import type { App } from '../app-instance.ts'
import { askPeer } from '../peer-view.ts'
import type { RouteContext } from '../route-context.ts'
import type { HttpTls } from '../tls-server.ts'

const Transfer = Type.Object(
  { to: Type.Optional(Type.String({ maxLength: limits.serverNameLengthMax })) },
  { additionalProperties: false },
)
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
    async () => gather(ensemble.status(), context.tls),
  )

  app.post(
    '/v1/ensemble/transfer',
    {
      preHandler: authorise,
      config: {
        change: ({ body }) => ({
          operation: 'transferLeadership',
          member: (body as Static<typeof Transfer>).to,
        }),
      },
      schema: { summary: 'Hand leadership to a server, or to the best one', body: Transfer },
    },
    async (request, reply) => {
      const { to } = request.body
      const told = { operation: 'transferLeadership', member: to, result: 'invoked' } as const
      await administer(context, request as FastifyRequest, told, () => transfer(ensemble, to))
      return reply.code(202).send({ status: 'started' })
    },
  )

  app.delete(
    '/v1/ensemble/members/:name',
    {
      preHandler: authorise,
      config: { change: ({ params }) => ({ operation: 'removeMember', member: nameIn(params) }) },
      schema: { summary: 'Remove a server from the configuration', params: NamedServer },
    },
    async (request, reply) => {
      const { name } = request.params
      const told = { operation: 'removeMember', member: name, result: 'success' } as const
      await administer(context, request as FastifyRequest, told, async () => {
        const refusal = await new Promise<string | null>((resolve) => {
          ensemble.removeMember(name, resolve)
        })
        if (refusal !== null) throw refusedChange(ensemble, refusal, `no server ${name}`)
      })
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/v1/ensemble/members/:name',
    {
      preHandler: authorise,
      config: { change: ({ params }) => ({ operation: 'readmitMember', member: nameIn(params) }) },
      schema: { summary: 'Let a removed server come back with its disk', params: NamedServer },
    },
    async (request, reply) => {
      const { name } = request.params
      const told = { operation: 'readmitMember', member: name, result: 'invoked' } as const
      await administer(context, request as FastifyRequest, told, async () => {
        const refusal = await new Promise<string | null>((resolve) => {
          ensemble.readmitMember(name, resolve)
        })
        if (refusal !== null)
          throw refusedChange(ensemble, refusal, `no server ${name} was removed`)
      })
      return reply.code(202).send({ status: 'awaited' })
    },
  )

  app.post(
    '/v1/snapshot',
    {
      preHandler: authorise,
      config: { change: () => ({ operation: 'takeSnapshot' }) },
      schema: { summary: 'Take a snapshot now on this server' },
    },
    async (request) => {
      const told = { operation: 'takeSnapshot', result: 'success' } as const
      return administer(context, request as FastifyRequest, told, async () => {
        const { refusal, index } = await new Promise<{ refusal: string | null; index: number }>(
          (resolve) =>
            ensemble.takeSnapshot((reason, at) => resolve({ refusal: reason, index: at })),
        )
        if (refusal !== null) throw new CodedError('SNAPSHOT_REFUSED', refusal)
        return { index }
      })
    },
  )
}

function nameIn(params: unknown): string {
  return (params as Static<typeof NamedServer>).name
}

function transfer(ensemble: Ensemble, to: string | undefined): void {
  const { members } = ensemble.status().raft
  const target = to === undefined ? null : members.find((member) => member.name === to)?.id
  if (target === undefined) throw new CodedError('MEMBER_NOT_FOUND', `no server ${to}`)
  const answer = ensemble.transferLeadership(target)
  if (answer === 'notLeader') throw notLeader(ensemble.status())
  if (answer === 'noTarget') throw new CodedError('NO_TRANSFER_TARGET', 'no other voter answers')
}

function refusedChange(ensemble: Ensemble, refusal: string, unknown: string): CodedError {
  if (refusal === 'notLeader') return notLeader(ensemble.status())
  if (refusal === 'unknownMember') return new CodedError('MEMBER_NOT_FOUND', unknown)
  return new CodedError('CHANGE_REFUSED', refusal)
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
    version: VERSION,
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

async function gather(status: EnsembleStatus, tls: HttpTls | null) {
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
        const view = (await askPeer(member.httpAddress, '/v1/ensemble', tls)) as View
        return { ...place, reachable: true, ...brief(view) }
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

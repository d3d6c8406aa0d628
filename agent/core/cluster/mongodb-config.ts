/** A member of a replica set's configuration; what is not named here is kept as it is. */
export interface SetMember {
  readonly _id: number
  readonly host: string
  /** 0 or 1. Left out by a server's answer: 1. */
  readonly votes?: number
  readonly priority?: number
  readonly arbiterOnly?: boolean
  readonly hidden?: boolean
}

/** The document of replSetGetConfig and replSetReconfig. */
export interface SetConfig {
  readonly _id: string
  readonly version: number
  readonly members: readonly SetMember[]
}

/** The next reconfiguration towards an aim; null: it is reached. */
export type ConfigStep = SetConfig | null

/** MongoDB's own bounds (manual, "Replica Set Limits"). */
const VOTERS_MAX = 7
const MEMBERS_MAX = 50
const MEMBER_ID_MAX = 255

/** The first configuration: one member, by its DNS name, which stays when its address does not. */
export function firstConfig(set: string, host: string, ordinal: number): SetConfig {
  return { _id: set, version: 1, members: [{ _id: idFor([], ordinal), host }] }
}

/**
 * Takes a host in that neither votes nor can be elected: that changes no majority, so it may be as empty
 * and as slow as it likes. Throws a RangeError where the set is full.
 */
export function withMember(config: SetConfig, host: string, ordinal: number): ConfigStep {
  if (memberAt(config, host) !== undefined) return null
  if (config.members.length >= MEMBERS_MAX) {
    throw new RangeError(`a replica set has at most ${MEMBERS_MAX} members`)
  }
  const member = { _id: idFor(config.members, ordinal), host, votes: 0, priority: 0 }
  return next(config, [...config.members, member])
}

/**
 * Gives a member its vote, as long as one of seven is free, and lets it be elected, unless it is hidden. Beside an
 * arbiter these are two steps: MongoDB refuses to make the second member with data an electable voter at once
 * (rs.reconfigForPSASet).
 */
export function withVote(config: SetConfig, host: string): ConfigStep {
  const member = memberAt(config, host)
  if (member === undefined) return null
  const inSteps = config.members.some(({ arbiterOnly }) => arbiterOnly === true)
  const priority = member.hidden === true ? 0 : 1
  if (isVoter(member)) {
    if (!inSteps || (member.priority ?? 1) >= priority) return null
    return next(config, replaced(config, { ...member, priority }))
  }
  if (!hasFreeVote(config.members)) return null
  return next(config, replaced(config, { ...member, votes: 1, priority: inSteps ? 0 : priority }))
}

/** Takes a member's vote, which it gets back when it has the data. */
export function withoutVote(config: SetConfig, host: string): ConfigStep {
  const member = memberAt(config, host)
  if (member === undefined || !isVoter(member)) return null
  return next(config, replaced(config, { ...member, votes: 0, priority: 0 }))
}

/** Takes a host out: its vote first, then the rest, so that each step is as small as one can be. */
export function withoutMember(config: SetConfig, host: string): ConfigStep {
  const member = memberAt(config, host)
  if (member === undefined) return null
  if (isVoter(member)) return withoutVote(config, host)
  return next(
    config,
    config.members.filter((other) => other !== member),
  )
}

/** The same members under the next version: each of them looks for itself in it. */
export function sameConfig(config: SetConfig): SetConfig {
  return next(config, config.members)
}

/**
 * Whether the voters of a configuration can commit what was acknowledged under the one before: a majority of them has
 * it, or gets it. If they cannot, no other configuration follows ever, unless by force. `serving`: hosts that are
 * primary or secondary. An arbiter votes, and has nothing; where most are arbiters all others are enough.
 */
export function canCommit({ members }: SetConfig, serving: ReadonlySet<string>): boolean {
  const voters = members.filter(isVoter)
  const withData = voters.filter(({ arbiterOnly }) => arbiterOnly !== true)
  const needed = Math.min(Math.floor(voters.length / 2) + 1, withData.length)
  return withData.filter(({ host }) => serving.has(host)).length >= needed
}

export function isVoter({ votes }: Pick<SetMember, 'votes'>): boolean {
  return (votes ?? 1) > 0
}

export function hasFreeVote(members: readonly Pick<SetMember, 'votes'>[]): boolean {
  return members.filter(isVoter).length < VOTERS_MAX
}

function memberAt(config: SetConfig, host: string): SetMember | undefined {
  return config.members.find((member) => member.host === host)
}

function replaced(config: SetConfig, changed: SetMember): readonly SetMember[] {
  return config.members.map((member) => (member._id === changed._id ? changed : member))
}

/** A configuration without `force`: the server takes only the one after its own. */
function next(config: SetConfig, members: readonly SetMember[]): SetConfig {
  return { ...config, version: config.version + 1, members }
}

/** The ordinal where it is free and possible; ids of members that left may still be known as theirs. */
function idFor(members: readonly SetMember[], ordinal: number): number {
  const taken = new Set(members.map(({ _id }) => _id))
  if (ordinal <= MEMBER_ID_MAX && !taken.has(ordinal)) return ordinal
  const above = Math.max(-1, ...taken) + 1
  if (above <= MEMBER_ID_MAX) return above
  const free = Array.from({ length: MEMBER_ID_MAX + 1 }, (_, id) => id).find((id) => !taken.has(id))
  return free ?? above
}

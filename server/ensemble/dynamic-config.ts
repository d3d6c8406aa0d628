import type { Member } from '../core/raft/message.ts'

/** One line of ZooKeeper's dynamic configuration. */
export interface ConfigLine {
  readonly number: number
  readonly peerAddress: string
  readonly role: 'participant' | 'observer'
  /** Empty where it is not told. */
  readonly clientAddress: string
}

/** ZooKeeper's own: 3888 beside 2888. */
const ELECTION_PORT_ABOVE = 1_000
const PORT_MAX = 65_535
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\]):\d+$/

/**
 * The members as ZooKeeper writes them to /zookeeper/config, by number, but for the version behind
 * them. There is one port between servers here; what stands in the place of the election port is never
 * the same, which ZooKeeper's parser, and so Curator's EnsembleTracker, refuses. A server that has yet
 * to catch up before it votes is not listed: it serves no clients. One that stands alone and takes
 * itself to be `localhost` does not say so to clients, which would follow it there from other machines.
 */
export function configText(members: readonly Member[], present: readonly ConfigLine[]): string {
  const numbers = numbersOf(members, present)
  const lines = linesOf(members, numbers)
  const [alone] = lines.length === 1 ? lines : []
  const told =
    alone !== undefined && LOOPBACK.test(alone.clientAddress)
      ? [{ ...alone, clientAddress: '' }]
      : lines
  return told
    .sort((left, right) => left.number - right.number)
    .map((line) => `${formatLine(line)}\n`)
    .join('')
}

function linesOf(members: readonly Member[], numbers: ReadonlyMap<string, number>): ConfigLine[] {
  return members
    .filter((member) => member.role === 'voter' || member.observer)
    .map((member) => ({
      number: numbers.get(member.name) ?? 0,
      peerAddress: member.peerAddress,
      role: member.role === 'voter' ? 'participant' : 'observer',
      clientAddress: member.clientAddress,
    }))
}

function formatLine({ number, peerAddress, role, clientAddress }: ConfigLine): string {
  const port = Number(peerAddress.slice(peerAddress.lastIndexOf(':') + 1))
  const client = clientAddress === '' ? '' : `;${clientAddress}`
  return `server.${number}=${peerAddress}:${electionPortOf(port)}:${role}${client}`
}

/** What is told for the election port of a server with this peer port; nothing listens there. */
export function electionPortOf(peerPort: number): number {
  const above = peerPort + ELECTION_PORT_ABOVE
  return above > PORT_MAX ? peerPort - ELECTION_PORT_ABOVE : above
}

/**
 * The number of each member, by name, for ZooKeeper's clients, which know no names: the name where it
 * is a number (myid), else the one under which the present configuration lists the member's address,
 * else one above the ordinal at the end of the name, else the least that is free.
 */
export function numbersOf(
  members: readonly Member[],
  present: readonly ConfigLine[],
): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>()
  const taken = new Set<number>()
  const take = (name: string, number: number | undefined): boolean => {
    if (number === undefined || !Number.isSafeInteger(number) || taken.has(number)) return false
    taken.add(number)
    numbers.set(name, number)
    return true
  }
  const unnumbered = members.filter(({ name }) => !(/^\d+$/.test(name) && take(name, Number(name))))
  const listed = new Map(present.map((line) => [line.peerAddress, line.number]))
  const unlisted = unnumbered.filter(
    ({ name, peerAddress }) => !take(name, listed.get(peerAddress)),
  )
  for (const { name } of unlisted) {
    const ordinal = /-(\d+)$/.exec(name)?.[1]
    if (ordinal !== undefined && take(name, Number(ordinal) + 1)) continue
    let least = 1
    while (!take(name, least)) least += 1
  }
  return numbers
}

/** The lines that make sense, of a text that this server or another wrote. */
export function parseConfig(text: string): readonly ConfigLine[] {
  const lines: ConfigLine[] = []
  for (const line of text.split('\n')) {
    const [, number = '', peerAddress = '', role, clientAddress = ''] =
      /^server\.(\d+)=(.+:\d+):\d+:(participant|observer)(?:;(.+))?$/.exec(line) ?? []
    if (role !== 'participant' && role !== 'observer') continue
    lines.push({ number: Number(number), peerAddress, role, clientAddress })
  }
  return lines
}

/** What stands in front of the version. */
export function serversOf(text: string): string {
  return text.slice(0, text.lastIndexOf('version='))
}

import type { Member } from '../core/raft/message.ts'

/** One line of ZooKeeper's dynamic configuration. */
export interface ConfigLine {
  readonly number: number
  readonly peerAddress: string
  readonly role: 'participant' | 'observer'
  readonly clientAddress: string
}

/**
 * The members as ZooKeeper writes them to /zookeeper/config, by number, but for the version behind
 * them. There is one port between servers here, so it stands in both places. A server that has yet to
 * catch up before it votes is not listed: it serves no clients.
 */
export function configText(members: readonly Member[], present: readonly ConfigLine[]): string {
  const numbers = numbersOf(members, present)
  return linesOf(members, numbers)
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
  const port = peerAddress.slice(peerAddress.lastIndexOf(':') + 1)
  return `server.${number}=${peerAddress}:${port}:${role};${clientAddress}`
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
      /^server\.(\d+)=(.+:\d+):\d+:(participant|observer);(.+)$/.exec(line) ?? []
    if (role !== 'participant' && role !== 'observer') continue
    lines.push({ number: Number(number), peerAddress, role, clientAddress })
  }
  return lines
}

/** What stands in front of the version. */
export function serversOf(text: string): string {
  return text.slice(0, text.lastIndexOf('version='))
}

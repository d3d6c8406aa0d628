import type { Entry, Member, Message } from '../../server/core/raft/message.ts'

/** Every message and entry in one line; a position in the log is written index@term. */
export function wordsOf(message: Message): string {
  const head = `${message.kind} term ${message.term}`
  switch (message.kind) {
    case 'preVote':
    case 'vote': {
      const transfer = message.transfer ? ', asked for by the leader' : ''
      return `${head}, log ${message.lastIndex}@${message.lastTerm}${transfer}`
    }
    case 'preVoteReply':
    case 'voteReply':
      return `${head}: ${message.granted ? 'yes' : 'no'}`
    case 'append': {
      const after = `after ${message.previousIndex}@${message.previousTerm}`
      const entries = message.entries.map(entryWords).join(', ')
      return `${head} ${after}: ${entries === '' ? 'nothing' : entries}; commit ${message.commit}`
    }
    case 'appendReply':
      return message.success
        ? `${head}: has ${message.index}`
        : `${head}: not after ${message.previousIndex}, try ${message.index}@${message.hintTerm}`
    case 'heartbeat':
      return `${head} round ${message.round}, commit ${message.commit}`
    case 'heartbeatReply':
      return `${head} round ${message.round}`
    case 'timeoutNow':
      return head
    case 'readIndex':
      return `${head}, read ${message.context}`
    case 'readIndexReply': {
      const verdict = message.accepted ? `at ${message.index}` : 'refused'
      return `${head}, read ${message.context}: ${verdict}`
    }
    case 'snapshotReply':
      return `${head}: ${message.success ? 'at' : 'failed at'} ${message.index}`
  }
}

/** A request shows its text, long ones only its size; a configuration its servers. */
export function entryWords(entry: Entry): string {
  const position = `${entry.index}@${entry.term}`
  switch (entry.kind) {
    case 'noop':
      return `${position} noop`
    case 'requests': {
      const text = new TextDecoder().decode(entry.payload)
      return `${position} ${text.length > 20 ? `(${text.length} bytes)` : text}`
    }
    case 'membership':
      return `${position} ${membersWords(entry.members)}`
  }
}

/** Learners carry a question mark. */
export function membersWords(members: readonly Member[]): string {
  return `{${members.map(({ id, role }) => (role === 'voter' ? id : `${id}?`)).join(' ')}}`
}

import type { PeerId } from '../core/brand.ts'
import type { PeerFrame } from '../wire/peer-frame.ts'
import type { Loop, Rooms } from './rooms.ts'

/** Brings what a peer sent to the room that it is for; nothing is answered or awaited here. */
export function dispatchFrame(rooms: Rooms, loop: Loop, from: PeerId, frame: PeerFrame): void {
  const { identity, snapshots, sessions, proposals, membership } = rooms
  // A disk without a cluster takes entries from nobody: it joins first.
  const takesLog = identity.belongs && !snapshots.installing
  switch (frame.kind) {
    case 'raft':
      if (takesLog) loop.step({ kind: 'message', from, message: frame.message })
      return
    case 'forward':
      return proposals.forwardReceived(from, frame)
    case 'forwardReply':
      return proposals.forwardAnswered(from, frame)
    case 'touch':
      return sessions.reportReceived(from, frame)
    case 'touchReply':
      return sessions.reportAnswered(from, frame)
    case 'snapshotChunk':
      if (takesLog && frame.term >= loop.raft().term) snapshots.files.chunkReceived(from, frame)
      return
    case 'snapshotChunkReply':
      return snapshots.files.chunkAnswered(from, frame.index, frame.offset)
    case 'join':
      return membership.joinReceived(from, frame.hello, identity.hello)
    case 'joinReply':
      return membership.joinAnswered(frame, identity.hello)
    case 'transferRequest':
      if (loop.raft().isLeader) loop.step({ kind: 'transferLeadership', to: frame.to })
      return
    case 'reconfig':
      return rooms.reconfigRequests.received(from, frame)
    case 'reconfigReply':
      return rooms.reconfigRequests.answered(frame)
    case 'leaving':
      return
  }
}

import type { PeerId } from '../core/brand.ts'
import type { Hello, PeerFrame } from '../wire/peer-frame.ts'

/** What the transport tells its owner. Calls arrive on the event loop, never from inside `send`. */
export interface TransportEvents {
  frame(from: PeerId, frame: PeerFrame): void
  /** Our outbound link to `hello.id` is open and both sides proved the secret. */
  linkUp(hello: Hello): void
  /** It broke: frames sent on it may be lost. */
  linkDown(peer: PeerId): void
}

/**
 * Frames between servers. Each ordered pair has its own one-way connection, dialled by the sender;
 * the transport re-dials with back-off and resolves the host name on every dial.
 */
export interface Transport {
  /** Replaces the set of addresses (host:port) to keep links to. */
  setTargets(addresses: readonly string[]): void
  /** Sends, or drops when no link is open or its queue is full (Raft and forwards bear loss). */
  send(to: PeerId, frame: PeerFrame): void
  /** Bytes queued to this peer, for flow control of snapshot streams. */
  queuedBytes(to: PeerId): number
  /** The hellos of all peers with an open outbound link. */
  links(): readonly Hello[]
  /** Our own hello changed (a cluster was formed or joined): re-introduce on all links. */
  setHello(hello: Hello): void
  close(done: () => void): void
}

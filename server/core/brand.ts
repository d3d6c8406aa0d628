/**
 * Identifiers of the core. Terms, indexes, zxids and session ids are safe integers (below 2^53):
 * the server allocates them all itself, and on the wire they are widened to 64 bits.
 */

/** Identity of one server on one disk: 16 hex digits, drawn at random when the disk is formatted. */
export type PeerId = string
/** A Raft term, counted from 1; 0 before the first election. */
export type Term = number
/** The position of an entry in the Raft log, counted from 1; 0 is the position before the first. */
export type LogIndex = number
/** The number of an applied request; 0 before the first. */
export type Zxid = number
/** A session: the zxid of the request that created it. 0 is no session (the system itself). */
export type SessionId = number

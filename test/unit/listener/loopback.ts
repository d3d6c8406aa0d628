import { DIGEST_ALONE } from '../../../server/listener/authentication.ts'
import { Listener, type ListenerOptions } from '../../../server/listener/listener.ts'
import { UNTHROTTLED } from '../../../server/listener/session-throttle.ts'
import { reservePorts } from '../../support/ports.ts'
import { ListenerHarness } from './client-harness.ts'
import { wordSource } from './word-source.ts'

const listeners = new Set<Listener>()

/** Ends all that `listen` has opened. */
export async function closeListeners(): Promise<void> {
  for (const listener of listeners) await listener.close()
  listeners.clear()
}

/** The test closes this one itself. */
export function forgetListener(listener: Listener): void {
  listeners.delete(listener)
}

/** A listener on a port of the loopback, over an ensemble that commits at once. */
export async function listen(options: Partial<ListenerOptions> = {}) {
  const { ensemble, environment } = new ListenerHarness()
  ensemble.immediate = true
  const [free = 0] = await reservePorts(1)
  const port = options.port ?? free
  const listener = new Listener({
    ensemble,
    environment,
    host: '127.0.0.1',
    port,
    authenticator: DIGEST_ALONE,
    sessionTimeoutMsMin: 4_000,
    sessionTimeoutMsMax: 40_000,
    frameBytesMax: 100_000,
    outputBytesMax: 1_000_000,
    replyWindowBytes: 100_000,
    requestsPerTurnMax: 64,
    admissionsPerTurnMax: 16,
    outstandingMax: 100,
    watchesMax: 100,
    connectionsMax: 0,
    connectionsPerAddressMax: 0,
    handshakeTimeoutMs: 5_000,
    throttle: UNTHROTTLED,
    linearizableReads: false,
    fourLetterWords: ['ruok', 'srvr'],
    words: wordSource(),
    tls: null,
    ...options,
  })
  await listener.listen()
  listeners.add(listener)
  return { listener, ensemble, port }
}

declare const __VERSION__: string | undefined
declare const __BUILD_DATE__: string | undefined

/** Set by build.ts; a run from source is a development version. */
export const VERSION = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-dev'

/** MM/DD/YYYY HH:MM UTC, the form that ZooKeeper clients parse in `srvr`. */
export const BUILD_DATE =
  typeof __BUILD_DATE__ === 'string' ? __BUILD_DATE__ : '01/01/1970 00:00 UTC'

/**
 * What the words and the admin commands tell of the version: first the ZooKeeper whose protocol and behaviour
 * this server has, since programs read it to learn what a server can do, then its own.
 */
export const ANNOUNCED_VERSION = `3.9.5-quorate-${VERSION}`

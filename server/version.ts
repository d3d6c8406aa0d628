declare const __VERSION__: string | undefined
declare const __BUILD_DATE__: string | undefined

/** Set by build.ts; a run from source is a development version. */
export const VERSION = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-dev'

/** MM/DD/YYYY HH:MM UTC, the form that ZooKeeper clients parse in `srvr`. */
export const BUILD_DATE =
  typeof __BUILD_DATE__ === 'string' ? __BUILD_DATE__ : '01/01/1970 00:00 UTC'

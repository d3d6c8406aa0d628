declare const __VERSION__: string | undefined

/** Of the build; "dev" when run from source. */
export const VERSION = typeof __VERSION__ === 'undefined' ? 'dev' : __VERSION__

/** A broken invariant: a programmer error. It is never caught; the process ends. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws AssertionError with the given sentence when `condition` is false. */
export function assert(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new AssertionError(sentence)
}

/** The end of an exhaustive switch: the type checker proves that no value arrives here. */
export function unreachable(value: never): never {
  throw new AssertionError(`no case handles ${JSON.stringify(value)}`)
}

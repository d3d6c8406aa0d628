/** A command could not do what it was asked to: told in one line, without a stack. */
export class CommandFailure extends Error {
  override readonly name: string = 'CommandFailure'
}

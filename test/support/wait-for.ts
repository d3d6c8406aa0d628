const POLL_MS = 20

/**
 * Polls until `condition` gives something other than undefined, null or false, and returns that.
 * A condition that throws is taken as not yet met; its last error is told when time is up.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 30_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + timeoutMs
  let lastError: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value !== undefined && value !== null && value !== false) {
        return value as NonNullable<Exclude<T, false>>
      }
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    if (performance.now() > deadline) {
      const because = lastError instanceof Error ? `: ${lastError.message}` : ''
      throw new Error(`${what}: not within ${timeoutMs} ms${because}`)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

const POLL_MS = 20
/** Between two checks there are so many times what a check takes, which may be a process of its own. */
const REST_SHARE = 2
const REST_MS_MAX = 1_000

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
    const beganAt = performance.now()
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
    const rest = Math.min(REST_SHARE * (performance.now() - beganAt), REST_MS_MAX)
    await new Promise((resolve) => setTimeout(resolve, Math.max(rest, POLL_MS)))
  }
}

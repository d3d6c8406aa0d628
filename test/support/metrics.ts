/** The metrics of a server as they are now: the value of a series without labels; throws where there is none. */
export async function readMetrics(port: number | undefined): Promise<(name: string) => number> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`)
  const text = await answer.text()
  return (name) => {
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
    if (value === undefined) throw new Error(`no metric ${name}`)
    return Number(value)
  }
}

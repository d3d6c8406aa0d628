import { signal } from '@preact/signals'
import { render } from 'preact'
import { type EnsembleView, read } from './api.ts'
import { Ensemble } from './ensemble.tsx'
import { refreshTree, Tree } from './tree.tsx'

const REFRESH_MS = 1000

const view = signal<EnsembleView | null>(null)
/** Since when the server is silent, and why; null while it answers. */
const silence = signal<{ readonly reason: string; readonly seconds: number } | null>(null)
let answeredAt = performance.now()

async function refresh(): Promise<void> {
  try {
    const current = await read<EnsembleView>('v1/ensemble/servers')
    view.value = current
    silence.value = null
    answeredAt = performance.now()
    const self = current.servers.find((server) => server.name === current.self)
    await refreshTree(self?.applied ?? 0)
  } catch (error) {
    const seconds = Math.round((performance.now() - answeredAt) / 1000)
    silence.value = { reason: error instanceof Error ? error.message : String(error), seconds }
  }
  setTimeout(refresh, REFRESH_MS)
}

function Page() {
  const current = view.value
  return (
    <>
      <header>
        <h1>Quorate</h1>
        {current !== null && (
          <span class="soft">
            served by <b>{current.self}</b>, cluster <code>{current.clusterId || 'none yet'}</code>
          </span>
        )}
        {current !== null && current.leader === null && <span class="bad">no leader</span>}
      </header>
      {silence.value !== null && (
        <p class="notice bad" role="alert">
          No answer from {current === null ? 'the server' : `server ${current.self}`} for{' '}
          {silence.value.seconds} s ({silence.value.reason}).
          {current !== null && ' Below is what it said last.'}
        </p>
      )}
      <div class={silence.value === null ? '' : 'stale'}>
        {current !== null && <Ensemble view={current} />}
        <h2>Tree</h2>
        <Tree />
      </div>
    </>
  )
}

const root = document.getElementById('app')
if (root !== null) {
  root.textContent = ''
  render(<Page />, root)
}
void refresh()

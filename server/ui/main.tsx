import { signal } from '@preact/signals'
import { render } from 'preact'
import { type EnsembleView, read } from './api.ts'
import { Ensemble } from './ensemble.tsx'
import { Tree } from './tree.tsx'

const REFRESH_MS = 1000

const view = signal<EnsembleView | null>(null)
const failure = signal('')

async function refresh(): Promise<void> {
  try {
    view.value = await read<EnsembleView>('v1/ensemble/servers')
    failure.value = ''
  } catch (error) {
    failure.value = error instanceof Error ? error.message : String(error)
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
        {failure.value !== '' && <span class="bad">no answer: {failure.value}</span>}
      </header>
      {current !== null && <Ensemble view={current} />}
      <h2>Tree</h2>
      <Tree />
    </>
  )
}

const root = document.getElementById('app')
if (root !== null) {
  root.textContent = ''
  render(<Page />, root)
}
void refresh()

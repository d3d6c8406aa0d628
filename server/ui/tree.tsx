import { signal } from '@preact/signals'
import { Refusal, read, type ZnodeView } from './api.ts'

/** Children shown per znode; more are counted, not listed. */
const CHILDREN_SHOWN_MAX = 500

const opened = signal<ReadonlyMap<string, ZnodeView>>(new Map())
const selected = signal<ZnodeView | null>(null)
const failure = signal('')
/** The log position that the shown znodes are known to have; null before the root is read. */
let shownAt: number | null = null

/** This server's own copy: it is what the page is about, and it can be read without a leader. */
function znodeAt(path: string): Promise<ZnodeView> {
  const encoded = path.split('/').map(encodeURIComponent).join('/')
  return read<ZnodeView>(`v1/znodes${encoded}?consistency=local`)
}

async function load(path: string): Promise<void> {
  try {
    const znode = await znodeAt(path)
    opened.value = new Map(opened.value).set(path, znode)
    selected.value = znode
    failure.value = ''
  } catch (error) {
    failure.value = error instanceof Error ? error.message : String(error)
  }
}

/** Opens the root at first; later reads again what is open, if the server has `applied` more. */
export async function refreshTree(applied: number): Promise<void> {
  if (applied === shownAt) return
  if (shownAt === null) {
    await load('/')
    if (failure.value !== '') return
  } else {
    // Parents come before their children, and close those that are gone.
    for (const path of opened.value.keys()) {
      if (opened.value.has(path)) await reload(path)
    }
  }
  shownAt = applied
}

async function reload(path: string): Promise<void> {
  try {
    const znode = await znodeAt(path)
    if (opened.value.has(path)) opened.value = new Map(opened.value).set(path, znode)
    if (selected.value?.path === path) selected.value = znode
    for (const other of opened.value.keys()) {
      const isChild = other !== '/' && parentOf(other) === path
      if (isChild && !znode.children.includes(nameOf(other))) forget(other)
    }
  } catch (error) {
    if (!(error instanceof Refusal) || error.status >= 500) throw error
    // Deleted just now, or no longer to be read by anyone.
    forget(path)
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') || 1)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function forget(path: string): void {
  close(path)
  const shown = selected.value?.path
  if (shown === path || shown?.startsWith(`${path}/`)) selected.value = null
}

function close(path: string): void {
  const remaining = new Map(opened.value)
  const below = path === '/' ? '/' : `${path}/`
  for (const other of remaining.keys()) {
    if (other === path || other.startsWith(below)) remaining.delete(other)
  }
  opened.value = remaining
}

function Branch({ path, name }: { readonly path: string; readonly name: string }) {
  const znode = opened.value.get(path)
  const isSelected = selected.value?.path === path
  const click = () => {
    if (znode === undefined) void load(path)
    else if (isSelected) close(path)
    else selected.value = znode
  }
  const children = znode?.children.slice(0, CHILDREN_SHOWN_MAX) ?? []
  const hidden = (znode?.children.length ?? 0) - children.length
  return (
    <li>
      <button
        type="button"
        aria-expanded={znode !== undefined}
        aria-current={isSelected}
        onClick={click}
      >
        {znode === undefined ? '▸' : '▾'} {name}
      </button>
      {znode !== undefined && children.length > 0 && (
        <ul>
          {children.map((child) => (
            <Branch
              key={child}
              name={child}
              path={path === '/' ? `/${child}` : `${path}/${child}`}
            />
          ))}
          {hidden > 0 && <li class="soft">and {hidden} more</li>}
        </ul>
      )}
    </li>
  )
}

function Details({ znode }: { readonly znode: ZnodeView }) {
  return (
    <section>
      <code>{znode.path}</code>
      <dl>
        {Object.entries(znode.stat).map(([field, value]) => (
          <>
            <dt>{field}</dt>
            <dd>{String(value)}</dd>
          </>
        ))}
      </dl>
      {znode.encoding === 'base64' && <p class="soft">binary, shown as base64</p>}
      {znode.data ? <pre>{znode.data}</pre> : <p class="soft">no data</p>}
    </section>
  )
}

/** The tree as an anonymous client may read it; a click opens a znode, one more closes it. */
export function Tree() {
  return (
    <div class="browser">
      <div class="tree">
        {failure.value !== '' && <p class="bad">{failure.value}</p>}
        <ul>
          <Branch path="/" name="/" />
        </ul>
      </div>
      {selected.value !== null && <Details znode={selected.value} />}
    </div>
  )
}

import { signal } from '@preact/signals'
import { read, type ZnodeView } from './api.ts'

/** Children shown per znode; more are counted, not listed. */
const CHILDREN_SHOWN_MAX = 500

const opened = signal<ReadonlyMap<string, ZnodeView>>(new Map())
const selected = signal<ZnodeView | null>(null)
const failure = signal('')

async function load(path: string): Promise<void> {
  try {
    const encoded = path.split('/').map(encodeURIComponent).join('/')
    const znode = await read<ZnodeView>(`v1/znodes${encoded === '/' ? '/' : encoded}`)
    opened.value = new Map(opened.value).set(path, znode)
    selected.value = znode
    failure.value = ''
  } catch (error) {
    failure.value = error instanceof Error ? error.message : String(error)
  }
}

function close(path: string): void {
  const remaining = new Map(opened.value)
  for (const other of remaining.keys()) {
    if (other === path || other.startsWith(`${path}/`)) remaining.delete(other)
  }
  opened.value = remaining
}

function Branch({ path, name }: { readonly path: string; readonly name: string }) {
  const znode = opened.value.get(path)
  const toggle = () => (znode === undefined ? void load(path) : close(path))
  const children = znode?.children.slice(0, CHILDREN_SHOWN_MAX) ?? []
  const hidden = (znode?.children.length ?? 0) - children.length
  return (
    <li>
      <button
        type="button"
        aria-expanded={znode !== undefined}
        aria-current={selected.value?.path === path}
        onClick={toggle}
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
      <pre>{znode.data ?? '(no data)'}</pre>
    </section>
  )
}

/** The tree as an anonymous client may read it; a click opens a znode. */
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

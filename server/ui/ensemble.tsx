import type { EnsembleView, ServerView } from './api.ts'

function Row({ server }: { readonly server: ServerView }) {
  if (!server.reachable) {
    return (
      <tr>
        <td>{server.name}</td>
        <td class="bad" colSpan={7}>
          unreachable: {server.reason}
        </td>
        <td>{server.address}</td>
      </tr>
    )
  }
  return (
    <tr>
      <td>{server.name}</td>
      <td>
        {server.role === 'leader' ? <b>leader</b> : server.role}
        {server.configuredRole === 'learner' && <span class="soft"> (learner)</span>}
      </td>
      <td class={server.ready ? 'good' : 'bad'}>{server.ready ? 'ready' : server.reason}</td>
      <td class="number">{server.term}</td>
      <td class="number">{server.lastIndex}</td>
      <td class="number">{server.commit}</td>
      <td class="number">{server.applied}</td>
      <td class="number">{server.zxid}</td>
      <td>{server.address}</td>
    </tr>
  )
}

/** By name, with 2 before 10: the configuration has them in the order in which they came. */
function inOrder(servers: readonly ServerView[]): ServerView[] {
  return [...servers].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

/** Members with their roles, terms and log positions. */
export function Ensemble({ view }: { readonly view: EnsembleView }) {
  return (
    <>
      <h2>Ensemble</h2>
      {view.servers.length === 0 && <p class="soft">no members yet</p>}
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>server</th>
              <th>role</th>
              <th>state</th>
              <th class="number">term</th>
              <th class="number">last index</th>
              <th class="number">commit</th>
              <th class="number">applied</th>
              <th class="number">zxid</th>
              <th>clients</th>
            </tr>
          </thead>
          <tbody>
            {inOrder(view.servers).map((server) => (
              <Row key={server.name} server={server} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

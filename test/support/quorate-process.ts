import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServerEnsemble } from './processes.ts'
import { createEnsemble, type EnsembleOptions } from './server-ensemble.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const bundle = join(repository, 'dist', 'quorate.js')

/** Servers of the built bundle, `node dist/quorate.js serve zoo.cfg`. */
export async function quorateEnsemble(options: EnsembleOptions): Promise<ServerEnsemble> {
  if (!existsSync(bundle)) throw new Error('dist/quorate.js is missing: npm run build')
  return await createEnsemble(
    {
      name: 'quorate',
      http: true,
      cwd: repository,
      settings: (httpPort, _metricsPort, peerPort) => ({
        'quorate.httpPort': String(httpPort),
        // A server alone has no line that names it, and would take the default as any other does.
        ...(options.servers === 1 ? { 'quorate.peerPort': String(peerPort) } : {}),
      }),
      command: ({ configuration }) => ({
        command: process.execPath,
        args: ['--enable-source-maps', bundle, 'serve', configuration],
      }),
    },
    options,
  )
}

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { type BuildOptions, build } from 'esbuild'

/** Bundles the server with its CLI, the agent, and the status page, into dist/. */
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    // An archive without git: the version alone names the build.
    return 'unknown'
  }
}

function stamp(date: Date): string {
  const [day, time] = date.toISOString().split('T')
  const [year, month, dayOfMonth] = (day ?? '').split('-')
  return `${month}/${dayOfMonth}/${year} ${time?.slice(0, 5)} UTC`
}

// Some dependencies are CommonJS and expect require and __dirname.
const banner = [
  "import { createRequire as __createRequire } from 'node:module'",
  "import { fileURLToPath as __fileURLToPath } from 'node:url'",
  'const require = __createRequire(import.meta.url)',
  'const __filename = __fileURLToPath(import.meta.url)',
  "const __dirname = __fileURLToPath(new URL('.', import.meta.url))",
].join('\n')

const program: BuildOptions = {
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  legalComments: 'none',
  banner: { js: banner },
  define: {
    __VERSION__: JSON.stringify(`${version}-${commit()}`),
    __BUILD_DATE__: JSON.stringify(stamp(new Date())),
  },
  logLevel: 'warning',
}
await build({ ...program, entryPoints: { quorate: 'server/cli/quorate.ts' } })
// Apart and small: an agent runs in every pod, beside every engine.
await build({ ...program, entryPoints: { 'quorate-agent': 'agent/main.ts' }, minify: true })
await build({
  entryPoints: { main: 'server/ui/main.tsx' },
  outdir: 'dist/ui',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  logLevel: 'warning',
})
mkdirSync('dist/ui', { recursive: true })
for (const name of ['index.html', 'style.css']) copyFileSync(`server/ui/${name}`, `dist/ui/${name}`)

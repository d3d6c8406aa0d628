import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { type BuildOptions, build, type Plugin } from 'esbuild'

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
/** Modules of this namespace are empty. */
const NOTHING = 'nothing'
/**
 * Of the Kubernetes client the agent uses KubeConfig, for a service account. Its modules do not say
 * that they do nothing when they are merely imported; told so, the bundler leaves the thousand
 * generated models out. What KubeConfig itself imports for proxies, kubeconfig files and logins is
 * replaced by nothing.
 */
const KUBERNETES_CLIENT = '@kubernetes/client-node'
const NOT_FOR_SERVICE_ACCOUNTS =
  /^(hpagent|js-yaml|jsonpath-plus|node-fetch|openid-client|rfc4648|socks-proxy-agent)$/
const kubeConfigAlone: Plugin = {
  name: 'kube-config-alone',
  setup(bundler) {
    bundler.onResolve({ filter: /./ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      const isInside = importer.includes(`/${KUBERNETES_CLIENT}/`)
      // The question below comes by here again.
      if (pluginData === 'asked' || !(isInside || path === KUBERNETES_CLIENT)) return null
      if (NOT_FOR_SERVICE_ACCOUNTS.test(path)) return { path, namespace: NOTHING }
      const found = await bundler.resolve(path, { importer, resolveDir, kind, pluginData: 'asked' })
      return { ...found, sideEffects: false }
    })
  },
}
/** Fastify loads HTTP/2 for servers that were told to speak it: two megabytes of every agent. */
const withoutHttp2: Plugin = {
  name: 'without-http2',
  setup(bundler) {
    bundler.onResolve({ filter: /^(node:)?http2$/ }, ({ path }) => ({ path, namespace: NOTHING }))
    bundler.onLoad({ filter: /./, namespace: NOTHING }, () => ({ contents: 'module.exports = {}' }))
  },
}

await build({ ...program, entryPoints: { quorate: 'server/cli/quorate.ts' } })
// Apart and small: an agent runs in every pod, beside every engine. CommonJS, since an `import` of
// node:http evaluates all that it exports, and some of that is a whole second HTTP client (10 MB).
const { metafile } = await build({
  ...program,
  entryPoints: { 'quorate-agent': 'agent/main.ts' },
  format: 'cjs',
  banner: {},
  outExtension: { '.js': '.cjs' },
  minify: true,
  plugins: [kubeConfigAlone, withoutHttp2],
  metafile: true,
})
// What an `import()` reaches is taken whole, and nothing but a tenth more memory would tell.
const generated = Object.values(metafile.outputs)
  .flatMap(({ inputs }) => Object.entries(inputs))
  .some(
    ([file, { bytesInOutput }]) => /client-node\/.*\/gen\/models\//.test(file) && bytesInOutput > 0,
  )
if (generated) throw new Error('the bundle of the agent has the generated Kubernetes API')
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

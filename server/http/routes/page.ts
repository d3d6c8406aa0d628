import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from '../app-instance.ts'
import type { RouteContext } from '../route-context.ts'

const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/ui/main.js', 'main.js', 'text/javascript; charset=utf-8'],
  ['/ui/style.css', 'style.css', 'text/css; charset=utf-8'],
] as const

/** The status page: three files, read once. */
export function pageRoutes(app: App, context: RouteContext): void {
  for (const [url, name, type] of FILES) {
    const content = readFileSync(join(context.pageDirectory, name))
    app.get(url, { schema: { hide: true } }, async (_request, reply) =>
      reply.type(type).header('cache-control', 'no-cache').send(content),
    )
  }
}

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { monitoringResources } from '../../support/toolchain.ts'
import { waitFor } from '../../support/wait-for.ts'
import { attempt, CHART, Namespace, run } from './cluster.ts'
import { helmVersions } from './helm-versions.ts'

/** The kinds of Prometheus' operator, which a cluster knows only once somebody has told it. */
const MONITORING = /^ +(serviceMonitor|prometheusRule|podMonitor):$/m
const RESOURCES = ['servicemonitors', 'podmonitors', 'prometheusrules']

const monitoring = monitoringResources()
const files = [`${CHART}/ci`, 'test/chart/values'].flatMap((directory) =>
  readdirSync(directory).map((name) => join(directory, name)),
)

const namespace = new Namespace('manifests')
const added: string[] = []

beforeAll(async () => {
  await namespace.create()
  const levels = ['warn', 'audit'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`)
  await run('kubectl', ['label', 'namespace', namespace.name, ...levels])
  // Pods are refused for want of it, with whatever else there is to say about them.
  await waitFor('the account of the namespace', () =>
    namespace.kubectl('get', 'serviceaccount', 'default', '-o', 'name'),
  )
  await addMonitoringResources()
})
afterAll(async () => {
  for (const name of added)
    await run('kubectl', ['delete', 'crd', name, '--ignore-not-found', '--timeout=60s'])
  await namespace.remove()
})

for (const { version, command, missing } of helmVersions) {
  const title = missing === null ? version : `${version} (${missing})`
  describe
    .skipIf(missing !== null)
    .sequential(`what ${title} renders`, { timeout: 120_000 }, () => {
      for (const file of files) {
        const monitors = MONITORING.test(readFileSync(file, 'utf8'))
        const reason = monitors && monitoring.found === null ? ` (${monitoring.reason})` : ''
        it.skipIf(reason !== '')(
          `from ${basename(file)} is taken, without a warning${reason}`,
          async () => {
            const manifests = await render(command, '--values', file)
            const { code, stdout, stderr } = await dryRun(manifests)
            expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
            const taken = stdout.trim().split('\n')
            expect(taken.every((line) => line.endsWith('(server dry run)'))).toBe(true)
            expect(taken).toHaveLength(manifests.match(/^kind: /gm)?.length ?? 0)
            expect(/monitoring.coreos.com/.test(stdout)).toBe(monitors)
          },
        )
      }

      it('would be refused with a field that does not exist', async () => {
        const manifests = await render(command)
        const { code, stderr } = await dryRun(
          manifests.replace('podManagementPolicy', 'podManagment'),
        )
        expect(stderr).toContain('unknown field "spec.podManagment"')
        expect(code).toBe(1)
      })

      it('would be warned of with a right that pod security restricted does not give', async () => {
        const right = 'server.containerSecurityContext.allowPrivilegeEscalation=true'
        const { stderr } = await dryRun(await render(command, '--set', right))
        expect(stderr).toMatch(/^Warning: would violate PodSecurity "restricted/m)
      })

      it('are refused where a broker that is a controller would start as none', async () => {
        const kafka = (controllers: number, replicas: number) => [
          ...['--values', `${CHART}/ci/kafka-values.yaml`, '--dry-run=server'],
          ...['--set', `kafka.controllers=${controllers},kafka.replicaCount=${replicas}`],
        ]
        const live = await render(command, ...kafka(5, 5))
        const set = live
          .split(/^---$/m)
          .find((part) => /^kind: StatefulSet[\s\S]*-kafka$/m.test(part))
        await run('kubectl', ['apply', '--filename=-'], set?.replace(/replicas: 5/, 'replicas: 0'))
        for (const [controllers, replicas] of [
          [5, 5],
          [3, 3],
          [7, 7],
        ] as const) {
          expect(await render(command, ...kafka(controllers, replicas))).toContain(
            'kind: StatefulSet',
          )
        }
        await expect(render(command, ...kafka(3, 5))).rejects.toThrow(
          'kafka.controllers is 3 and was 5',
        )
        await namespace.kubectl('delete', 'statefulset', 'quorate-kafka')
      })
    })
}

/** `helm template` into the namespace, monitors too, wherever the values put them. */
function render([helm = '', ...words]: readonly string[], ...options: string[]): Promise<string> {
  const chart = ['template', 'quorate', CHART, '--namespace', namespace.name]
  const here = ['serviceMonitor', 'prometheusRule', 'dashboards'].flatMap((monitor) => [
    '--set',
    `server.metrics.${monitor}.namespace=${namespace.name}`,
  ])
  return run(helm, [...words, ...chart, ...options, ...here])
}

function dryRun(manifests: string) {
  const options = ['--dry-run=server', '--validate=strict', '--filename=-']
  return attempt('kubectl', ['apply', ...options], manifests)
}

/** Tells the cluster the kinds that it does not know; they go again when all is done. */
async function addMonitoringResources(): Promise<void> {
  const { found } = monitoring
  if (found === null) return
  const known = await run('kubectl', ['get', 'crd', '-o', 'name'])
  for (const plural of RESOURCES) {
    const name = `${plural}.monitoring.coreos.com`
    if (known.includes(`/${name}`)) continue
    added.push(name)
    // By the server: they are too large for the annotation in which kubectl would keep them.
    const file = join(found.directory, `${plural}.yaml`)
    await run('kubectl', ['apply', '--server-side', '--filename', file])
    await run('kubectl', ['wait', '--for=condition=Established', `crd/${name}`, '--timeout=60s'])
  }
}

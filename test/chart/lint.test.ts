import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { titleOf } from '../support/toolchain.ts'
import { writeStrictSchemas } from './json-schema.ts'
import { CHART, template, titleOfValues, valueFiles } from './render.ts'
import { chartTestingTool, helmTool, kubeconformTool, openApiTool } from './tools.ts'

const helm = helmTool()
const ct = chartTestingTool()
const kubeconform = kubeconformTool()
const openApi = openApiTool()
const missing = [helm, kubeconform, openApi].find(({ found }) => found === null) ?? openApi

/** Kinds of others, which Kubernetes' own document cannot know. */
const FOREIGN_KINDS = 'ServiceMonitor,PrometheusRule'

function run(command: string, args: readonly string[], input = '', env = process.env) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', input, env })
  return { status, output: `${stdout}${stderr}` }
}

describe.skipIf(helm.found === null)(titleOf('helm lint', helm), () => {
  it.each(valueFiles)('finds nothing with %s', (file) => {
    const { status, output } = run(helm.found?.command ?? '', [
      'lint',
      '--strict',
      CHART,
      '--values',
      file,
    ])
    expect(output).toContain('0 chart(s) failed')
    expect(status).toBe(0)
  })
})

describe.skipIf(ct.found === null)(titleOf('ct lint', ct), () => {
  it('is clean', () => {
    const { command, path, lintConf, chartYamlSchema } = ct.found ?? {
      command: '',
      path: '',
      lintConf: '',
      chartYamlSchema: '',
    }
    const { status, output } = run(
      command,
      ['lint', '--lint-conf', lintConf, '--chart-yaml-schema', chartYamlSchema],
      '',
      { ...process.env, PATH: path },
    )
    expect(output).toContain('All charts linted successfully')
    expect(status).toBe(0)
  })
})

describe.skipIf(missing.found === null)(titleOf('kubeconform', missing), () => {
  let location = ''
  beforeAll(() => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-schemas-'))
    location = writeStrictSchemas(openApi.found?.file ?? '', directory)
  })
  const check = (manifests: string) =>
    run(
      kubeconform.found?.command ?? '',
      ['-strict', '-skip', FOREIGN_KINDS, '-schema-location', location, '-summary'],
      manifests,
    )

  it.each(valueFiles.map((file) => [titleOfValues(file), file]))('accepts all of %s', (_, file) => {
    const { status, output } = check(template({ files: [file ?? ''] }).text)
    expect(output).toMatch(/Invalid: 0, Errors: 0/)
    expect(output).not.toMatch(/Summary: 0 resources/)
    expect(status).toBe(0)
  })

  it('would refuse a field that does not exist', () => {
    const { status, output } = check(
      template({}).text.replace('podManagementPolicy:', 'podManagmentPolicy:'),
    )
    expect(output).toMatch(/podManagmentPolicy/)
    expect(status).toBe(1)
  })
})

describe('the versions', () => {
  it('of chart, application and package agree', () => {
    const { version, appVersion } = parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8')) as {
      version: string
      appVersion: string
    }
    const product = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect(appVersion).toBe(product.version)
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  })
})

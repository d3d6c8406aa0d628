import { BuiltImage } from './built-image.ts'
import type { Dependent } from './dependent.ts'

const DOUBLE = new BuiltImage('QUORATE_E2E_AGRAPH_IMAGE', 'localhost/quorate-agraph-double:1')
const REPOSITORY = 'quorate'

/** A small cluster of the HTTP double of AllegroGraph: the vendor's software is not to be had where these tests run. */
export const DOUBLE_VALUES = [
  ...['--values', 'charts/quorate/ci/allegrograph-values.yaml'],
  ...DOUBLE.values('allegrograph.image'),
  // A process of Node instead of a database.
  ...['allegrograph', 'allegrographCopies'].flatMap((component) => [
    ...['--set', `${component}.resources.requests.memory=256Mi`],
    ...['--set', `${component}.resources.limits.memory=384Mi`],
    ...['--set', `${component}.sharedMemory=64Mi`],
  ]),
]

/** Gives the double's image to every node, unless QUORATE_E2E_AGRAPH_IMAGE names one that they can pull. */
export function provideDouble(): void {
  DOUBLE.provideDouble('allegrograph', 'agraph.mjs', ['Dockerfile', 'agraph-control.sh'])
}

/** The Node of the double's image asks the server of its own pod, as the superuser. */
const ASK = `
const [method, path, body] = process.argv.slice(1)
const password = require('node:fs').readFileSync('/etc/quorate-secrets/password', 'utf8').trim()
const authorization = 'Basic ' + Buffer.from('admin:' + password).toString('base64')
const url = 'http://127.0.0.1:10035/repositories/${REPOSITORY}/' + path
fetch(url, { method, headers: { authorization }, ...(body ? { body } : {}) }).then(async (answer) => {
  if (!answer.ok) throw new Error('HTTP ' + answer.status)
  console.log(await answer.text())
})
`

/** One instance's own answers. */
export class AgraphPod {
  readonly #dependent: Dependent
  readonly #ordinal: number

  constructor(dependent: Dependent, ordinal: number) {
    this.#dependent = dependent
    this.#ordinal = ordinal
  }

  /** The instances of copies that it lists, in order. */
  async listed(): Promise<string[]> {
    const { instances } = JSON.parse(await this.#ask('GET', 'repl/status')) as {
      readonly instances: readonly { readonly instanceName: string }[]
    }
    return instances
      .map(({ instanceName }) => instanceName)
      .filter((name) => name !== 'controlling')
      .sort()
  }

  async statements(): Promise<string[]> {
    return (JSON.parse(await this.#ask('GET', 'statements')) as string[]).sort()
  }

  async write(statement: string): Promise<void> {
    await this.#ask('POST', 'statements', statement)
  }

  /** How often the server was asked for a change, as its log has it, which stays on the volume. */
  async asked(verb: string): Promise<number> {
    const command = `grep -c '/repl/${verb} ' /agraph/data/log/agraph.log || true`
    return Number(await this.#dependent.exec(this.#ordinal, 'sh', '-c', command))
  }

  #ask(...words: string[]): Promise<string> {
    return this.#dependent.exec(this.#ordinal, 'node', '-e', ASK, ...words)
  }
}

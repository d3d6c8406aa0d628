import { join } from 'node:path'
import type { GenericRules } from '../../core/cluster/generic-plan.ts'
import { placesOf, substitute } from '../../core/substitution.ts'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { podHost } from '../../pod-host.ts'
import type { EngineSetup } from '../kinds.ts'
import { roleLabelOf } from '../own-role-label.ts'
import { EngineQuestions } from './engine-questions.ts'
import {
  clientPortOf,
  type GenericDocument,
  isBelow,
  readGenericDocument,
} from './generic-document.ts'
import { GenericEngine } from './generic-engine.ts'
import { GenericFacts } from './generic-facts.ts'
import { MemberDirectory } from './member-directory.ts'
import { MemberRoster } from './member-roster.ts'
import { RenderedFile } from './rendered-file.ts'
import { RenderedFiles } from './rendered-files.ts'
import { WatchedZnode } from './watched-znode.ts'

/** Any engine, by the document in the agent's settings. Throws AGENT_CONFIG_INVALID. */
export function genericEngine(setup: EngineSetup): GenericEngine {
  const { config, disk, coordination, nowMs } = setup
  const { settings } = config
  const document = readGenericDocument(settings.generic)
  const directory = directoryOf(setup, settings.cluster)
  const facts = factsOf(setup, document, directory)
  const questions = new EngineQuestions({
    host: settings.engineHost,
    port: clientPortOf(document),
    ports: document.ports ?? {},
    facts,
  })
  const root = `${settings.treeRoot}/clusters/${settings.cluster}`
  return new GenericEngine({
    document,
    rules: rulesOf(document),
    disk,
    set: settings.set,
    pod: settings.pod,
    cluster: settings.cluster,
    questions,
    hostOf: (ordinal) =>
      ordinal === config.ordinal ? settings.advertisedHost : podHost(config, ordinal),
    facts,
    directory,
    files: filesOf(setup, document, facts, questions),
    roster: new MemberRoster({
      coordination,
      path: `${root}/roster`,
      everyMs: limits.genericMembersEveryMs,
      nowMs,
    }),
    label: document.role === undefined ? null : roleLabelOf(setup),
    nowMs,
  })
}

function rulesOf(document: GenericDocument): GenericRules {
  const { bootstrap = 'none', order = 'parallel', removedReturns = 'asIs' } = document
  const { hooks = {}, start = {}, role } = document
  const told = role?.leader === undefined ? 'everybody' : 'leader'
  return {
    bootstrap,
    order,
    removedReturns,
    enlists: hooks.join !== undefined || hooks.leave !== undefined,
    follows: start.follow !== undefined,
    drains: hooks.drain === undefined ? 'nobody' : told,
    followPatienceMs: start.followWithinMs ?? limits.genericFollowMs,
    drainPatienceMs: limits.genericDrainMs,
    handOverMs: limits.handOverMs,
  }
}

function directoryOf({ config, coordination, nowMs }: EngineSetup, cluster: string) {
  return new MemberDirectory({
    coordination,
    path: `${config.settings.treeRoot}/services/${cluster}`,
    everyMs: limits.genericMembersEveryMs,
    freshMs: limits.treeFreshMs,
    pod: config.settings.pod,
    nowMs,
  })
}

function factsOf(
  setup: EngineSetup,
  document: GenericDocument,
  directory: MemberDirectory,
): GenericFacts {
  const { settings, ordinal } = setup.config
  const { role, uses = {} } = document
  const port = clientPortOf(document)
  const others = Object.entries(uses).map(([name, { cluster, leader = '' }]) => [
    name,
    { directory: directoryOf(setup, cluster), leader },
  ])
  return new GenericFacts({
    self: {
      pod: settings.pod,
      ordinal: String(ordinal),
      host: settings.advertisedHost,
      port: port === null ? '' : String(port),
      cluster: settings.cluster,
    },
    own: { directory, leader: role?.leader ?? '' },
    others: Object.fromEntries(others),
    secretDirectory: settings.genericSecrets,
  })
}

function filesOf(
  { config, coordination, nowMs }: EngineSetup,
  { files = [] }: GenericDocument,
  facts: GenericFacts,
  questions: EngineQuestions,
): RenderedFiles {
  const { genericFiles, dataDirectory, treeRoot, cluster } = config.settings
  const folder = `${treeRoot}/clusters/${cluster}/files`
  const made = files.map((file) => {
    const { name, path = join(genericFiles, name), znode = `${folder}/${name}`, content } = file
    const { once = false, reload = null } = file
    if (!isBelow(path, [genericFiles, dataDirectory])) {
      throw invalid(`files.${name}.path: neither below ${genericFiles} nor ${dataDirectory}`)
    }
    if (content !== undefined) checkTemplate(`files.${name}.content`, content, facts)
    const watched = new WatchedZnode({
      coordination,
      path: znode,
      everyMs: limits.genericFileEveryMs,
      nowMs,
    })
    const rendered = new RenderedFile({
      name,
      path,
      znode: watched,
      znodePath: znode,
      content: content ?? null,
      once,
      copyPath: join(dataDirectory, 'agent', 'files', name),
      bytesMax: limits.genericFileBytesMax,
      factOf: facts.of,
    })
    return { file: rendered, reload }
  })
  return new RenderedFiles({
    files: made,
    coordination,
    folder,
    toldPath: join(genericFiles, '.told.json'),
    retryMs: limits.genericReloadRetryMs,
    nowMs,
    ask: (request) => questions.ask(request, { timeoutMs: limits.genericHookMs }),
  })
}

/** What is wrong in the values is told at the start, not when it is needed. */
function checkTemplate(place: string, template: string, facts: GenericFacts): void {
  const names = placesOf(template)
  const result = substitute(template, facts.of)
  if (result.kind === 'invalid') throw invalid(`${place}: ${result.reason} (${names.join(', ')})`)
}

function invalid(message: string): AgentError {
  return new AgentError('AGENT_CONFIG_INVALID', `generic: ${message}`)
}

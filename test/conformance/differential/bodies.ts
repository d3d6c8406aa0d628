import type { Random } from '../../simulation/random.ts'
import { createBody, dataBody, flag, pathBody, versionBody } from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import type { BodyOf, StepContext } from './steps.ts'
import {
  aclText,
  anyAcl,
  anyData,
  anyPath,
  anyVersion,
  keptPath,
  type Path,
  quotaData,
  quotaPath,
  readPath,
  refusedPath,
  restrictedAcl,
  sequential,
  watchedPath,
} from './values.ts'

/** The body of a request and what a report prints of it. */
export interface Drawn {
  readonly body: BodyOf
  readonly text: string
}

export function drawNothing(): Drawn {
  return { body: () => new Fields(), text: '' }
}

export function drawPath(random: Random): Drawn {
  const path = readPath(random)
  return { body: (context) => pathBody(path.at(context)), text: path.text }
}

export function drawPrefix(random: Random): Drawn {
  // What is elsewhere is left over from other runs, and goes when its session's time is up.
  const path = anyPath(random)
  const own = (context: StepContext) => path.at(context) || context.place
  return { body: (context) => pathBody(own(context)), text: path.text }
}

export function drawRead(random: Random): Drawn {
  const watch = random.chance(0.4)
  const path = watch ? watchedPath(random) : readPath(random)
  return readOf(path, watch)
}

function readOf(path: Path, watch: boolean): Drawn {
  return {
    body: (context) => pathBody(path.at(context), watch),
    text: `${path.text}${watch ? ' watch' : ''}`,
  }
}

function drawFlags(random: Random): number {
  const { ephemeral, sequential: numbered, ephemeralSequential } = flag
  if (random.chance(0.04)) return random.pick([4, 5, 6, 7, 8, -1, 2 ** 31 - 1])
  return random.pick([0, 0, 0, 0, ephemeral, ephemeral, numbered, ephemeralSequential])
}

export function drawCreate(random: Random, draw = anyAcl): Drawn {
  const path = refusedPath(random)
  const flags = drawFlags(random)
  const data = anyData(random)
  const acl = draw(random)
  return {
    body: (context) => createBody(path.at(context), data, { flags, acl }),
    text: `${path.text} flags=${flags} data=${data?.length} acl=${aclText(acl)}`,
  }
}

export function drawContainer(random: Random, draw = anyAcl): Drawn {
  const path = refusedPath(random)
  const flags = random.chance(0.9) ? flag.container : random.pick([0, 5, 9])
  const acl = draw(random)
  return {
    body: (context) => createBody(path.at(context), '', { flags, acl }),
    text: `${path.text} flags=${flags} acl=${aclText(acl)}`,
  }
}

const LONG_MS = 1_000_000_000n

/** Longer than the longest run, so that nothing is removed where that is not looked for. */
export function drawTtl(random: Random, draw = anyAcl): Drawn {
  return ttlOf(random, LONG_MS, draw(random))
}

/** As short as can be. */
export function drawShortTtl(random: Random): Drawn {
  return ttlOf(random, random.chance(0.7) ? 1n : LONG_MS, anyAcl(random))
}

function ttlOf(random: Random, good: bigint, acl: ReturnType<typeof anyAcl>): Drawn {
  const path = refusedPath(random)
  const flags = random.pick([5, 5, 6])
  const ttl = random.chance(0.8)
    ? good
    : random.pick([0n, -1n, -5n, 2n ** 40n - 1n, 2n ** 40n, 2n ** 62n])
  return {
    body: (context) => createBody(path.at(context), 'ttl', { flags, acl }).long(ttl),
    text: `${path.text} flags=${flags} ttl=${ttl} acl=${aclText(acl)}`,
  }
}

export function drawVersioned(random: Random): Drawn {
  const path = random.chance(0.1) ? sequential(random) : refusedPath(random)
  const version = anyVersion(random)
  return {
    body: (context) => versionBody(path.at(context), version),
    text: `${path.text} version=${version}`,
  }
}

export function drawSetData(random: Random): Drawn {
  const path = anyPath(random)
  const data = anyData(random)
  const version = anyVersion(random)
  return {
    body: (context) => dataBody(path.at(context), data, version),
    text: `${path.text} data=${data?.length} version=${version}`,
  }
}

export function drawSetAcl(random: Random): Drawn {
  const path = anyPath(random)
  const acl = restrictedAcl(random)
  const version = anyVersion(random)
  return {
    body: (context) => new Fields().text(path.at(context)).acl(acl).int(version),
    text: `${path.text} acl=${aclText(acl)} version=${version}`,
  }
}

export function authOf(scheme: string | null, proof: string | null): Drawn {
  return {
    body: () => new Fields().int(0).text(scheme).text(proof),
    text: `${scheme} ${proof}`,
  }
}

export function drawAuth(random: Random): Drawn {
  const schemes = ['ip', 'world', 'auth', 'super', 'x509', 'sasl', 'nope', '', null]
  const scheme = random.chance(0.5) ? 'digest' : random.pick(schemes)
  const proofs = ['u:p', 'u:p', 'v:q', 'super:wrong', 'nocolon', '', null, ':', 'a:b:c']
  return authOf(scheme, random.pick(proofs))
}

const SASL_TOKENS = [
  ...['', '', '', null, 'x', ',', '=', '"', 'username', 'username="bob"', '\u0000\u0000', 'ä'],
  'charset=utf-8,username="bob",realm="zk-sasl-md5",nonce="bm9uY2U=",nc=00000001,' +
    'cnonce="Y25vbmNl",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,' +
    'response=0123456789abcdef0123456789abcdef,qop=auth',
  'a'.repeat(5_000),
] as const

/** No right answer to a challenge: that is in the suite. */
export function drawSasl(random: Random): Drawn {
  const token = random.pick(SASL_TOKENS)
  return { body: () => new Fields().text(token), text: JSON.stringify(token).slice(0, 40) }
}

export function drawAddWatch(random: Random): Drawn {
  const path = keptPath(random)
  const mode = random.pick([0, 0, 0, 1, 1, 1, 1, 2, -1])
  return {
    body: (context) => new Fields().text(path.at(context)).int(mode),
    text: `${path.text} mode=${mode}`,
  }
}

export function drawWatchSelection(random: Random): Drawn {
  const path = keptPath(random)
  const type = random.pick([1, 1, 2, 2, 3, 3, 3, 4, 5, 0, 6, -1])
  return {
    body: (context) => new Fields().text(path.at(context)).int(type),
    text: `${path.text} type=${type}`,
  }
}

export function drawSetWatches(random: Random, lists: number): Drawn {
  const seen = random.chance(0.2) ? null : random.integer(0, 12)
  const paths = Array.from({ length: lists }, () =>
    Array.from({ length: random.integer(0, 3) }, () => keptPath(random)),
  )
  return {
    body: (context) => {
      const fields = new Fields().long(seen === null ? 0n : context.zxid(seen))
      for (const list of paths) {
        fields.int(list.length)
        for (const path of list) fields.text(path.at(context))
      }
      return fields
    },
    text: `seen=${seen} ${JSON.stringify(paths.map((list) => list.map(({ text }) => text)))}`,
  }
}

// --- Quotas --------------------------------------------------------------------------------------

export function drawQuotaCreate(random: Random): Drawn {
  const path = quotaPath(random)
  const data = quotaData(random, path)
  return {
    body: (context) => createBody(path.at(context), data),
    text: `${path.text} ${data}`,
  }
}

export function drawQuotaData(random: Random): Drawn {
  const path = quotaPath(random)
  const data = quotaData(random, path)
  const version = anyVersion(random)
  return {
    body: (context) => dataBody(path.at(context), data, version),
    text: `${path.text} ${data} version=${version}`,
  }
}

export function drawQuotaDelete(random: Random): Drawn {
  const path = quotaPath(random)
  return { body: (context) => versionBody(path.at(context)), text: path.text }
}

export function drawQuotaRead(random: Random): Drawn {
  return readOf(quotaPath(random), random.chance(0.3))
}

// --- Members -------------------------------------------------------------------------------------

const CONFIG: Path = { at: () => '/zookeeper/config', text: '/zookeeper/config' }

export function drawConfigRead(random: Random): Drawn {
  return readOf(CONFIG, random.chance(0.4))
}

const JOINING = [
  ...['foo=127.0.0.1:1:2;3', 'server.x=127.0.0.1:1:2;3', 'server.9', 'server.9=foo'],
  ...['server.9=127.0.0.1:1:2:participant', 'server.9=127.0.0.1:1:2:voter;3', '=', ',', ''],
] as const
const LEAVING = ['', '9', ' 9 ', '9,8', ',', 'x', '1.5', '-1', '1,2', '1,2,3', '9;8'] as const
const MEMBERS = ['', '\n', 'foo', 'server.1=x', 'server.x=127.0.0.1:1:2;3', 'foo=bar'] as const

/** Changes that leave the members as they are: those that do not are in the suite. */
export function drawReconfig(random: Random): Drawn {
  const some = (values: readonly string[], often: number) =>
    random.chance(often) ? random.pick(values) : null
  const joining = some(JOINING, 0.25)
  const leaving = some(LEAVING, 0.4)
  const members = some(MEMBERS, 0.15)
  const version = random.pick([-1n, -1n, -1n, -1n, 0n, 77n, -2n, 2n ** 62n])
  return {
    body: () => new Fields().text(joining).text(leaving).text(members).long(version),
    text: JSON.stringify([joining, leaving, members, String(version)]),
  }
}

import type { Random } from '../../simulation/random.ts'
import { type Acl, Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import {
  type Drawn,
  drawContainer,
  drawCreate,
  drawNothing,
  drawQuotaCreate,
  drawQuotaData,
  drawQuotaDelete,
  drawRead,
  drawSetData,
  drawTtl,
  drawVersioned,
} from './bodies.ts'
import { anyAcl } from './values.ts'

type Items = readonly (readonly [number, (random: Random) => Drawn])[]

const WRITES: Items = [
  [op.create, (random) => drawCreate(random, itemAcl)],
  [op.create, (random) => drawCreate(random, itemAcl)],
  [op.create2, (random) => drawCreate(random, itemAcl)],
  [op.createContainer, (random) => drawContainer(random, itemAcl)],
  [op.createTtl, (random) => drawTtl(random, itemAcl)],
  [op.delete, drawVersioned],
  [op.delete, drawVersioned],
  [op.setData, drawSetData],
  [op.setData, drawSetData],
  [op.check, drawVersioned],
  [op.check, drawVersioned],
]

const QUOTA_WRITES: Items = [
  ...WRITES,
  [op.create, drawQuotaCreate],
  [op.delete, drawQuotaDelete],
  [op.setData, drawQuotaData],
]

const READS: Items = [
  [op.getData, drawRead],
  [op.getChildren, drawRead],
]

/** No operation of a multi. */
const OTHERS = [0, 3, 6, 7, 9, 11, 12, 14, 16, 18, 20, 22, 77, 100, 105, -2, -10, -11] as const

export function drawMulti(random: Random): Drawn {
  return drawItems(random, random.chance(0.03) ? READS : WRITES)
}

export function drawQuotaMulti(random: Random): Drawn {
  return drawItems(random, QUOTA_WRITES)
}

export function drawMultiRead(random: Random): Drawn {
  return drawItems(random, random.chance(0.06) ? WRITES : READS)
}

/** Never a null ACL: see null-acl in docs/compatibility.md. */
function itemAcl(random: Random): readonly Acl[] | null {
  return anyAcl(random) ?? []
}

function drawItems(random: Random, kinds: Items): Drawn {
  const items = Array.from({ length: random.pick([0, 1, 1, 2, 2, 3, 4]) }, () => {
    if (random.chance(0.01)) return { type: random.pick(OTHERS), ...drawNothing() }
    const [type, draw] = random.pick(kinds)
    return { type, ...draw(random) }
  })
  return {
    body: (context) => {
      const fields = new Fields()
      for (const { type, body } of items) {
        fields.int(type).bool(false).int(-1).raw(body(context).bytes())
      }
      return fields.int(-1).bool(true).int(-1)
    },
    text: `[${items.map(({ type, text }) => `${type} ${text}`).join('; ')}]`,
  }
}

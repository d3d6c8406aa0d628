import { describe } from 'vitest'
import { ensembleFor, supports } from './servers.ts'
import { conformanceSuite, standaloneSuite } from './suite.ts'

describe('Quorate', () => {
  conformanceSuite(ensembleFor('quorate'), supports.quorate)
})

describe('Quorate, alone', () => {
  standaloneSuite(ensembleFor('quorate', { servers: 1 }), supports.quorate)
})

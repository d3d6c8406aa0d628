import { seedTests } from './seeds.ts'

seedTests(151, 300)

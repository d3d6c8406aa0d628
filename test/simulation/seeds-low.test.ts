import { seedTests } from './seeds.ts'

// Two files, so that two workers share the seeds.
seedTests(1, 150)

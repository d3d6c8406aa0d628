import { type CopyInstance, copiesListed } from '../../core/cluster/allegrograph-instances.ts'
import { AgentError } from '../../errors.ts'
import type { Fence } from '../engine.ts'
import type { AllegrographClient } from './allegrograph-client.ts'

/** The copies that this server lists. Rejects with ENGINE_REFUSED where it is no instance. */
export async function listCopies(
  server: AllegrographClient,
  set: string,
): Promise<readonly CopyInstance[]> {
  const status = await server.status()
  if (status !== null) return copiesListed(status, set)
  throw new AgentError('ENGINE_REFUSED', 'the controlling instance has created no cluster')
}

/**
 * Has the controlling instance remove one; resolves when it lists it no more, also where another was faster.
 * Whatever it answers to the request, the list alone says what came of it.
 */
export async function removeListed(
  controlling: AllegrographClient,
  set: string,
  instance: string,
  fence: Fence,
): Promise<void> {
  const isListed = async () =>
    (await listCopies(controlling, set)).some(({ name }) => name === instance)
  if (!(await isListed())) return
  fence.check()
  const refusal = await controlling.removeInstance(instance).then(
    () => null,
    (error: unknown) => error,
  )
  if (!(await isListed())) return
  throw refusal ?? new AgentError('ENGINE_REFUSED', `${instance} was removed and is still listed`)
}

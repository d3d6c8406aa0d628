import { expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import type { StoryPlace } from './dependent-story.ts'
import { drainBrokers } from './kafka-subject.ts'
import { type KafkaImage, KafkaTools } from './kafka-tools.ts'

const FORGOTTEN_WITHIN_MS = 120_000
const HELD = /^refuses to leave: 2 partitions have copies here; `quorate kafka drain 3` moves them$/

interface Event {
  readonly reason: string
  readonly message: string
  readonly involvedObject: { readonly name: string }
}

/** How a broker leaves that was not emptied, or could not say a word. */
export function kafkaDepartures({ dependent, subject, host }: StoryPlace, image: KafkaImage): void {
  const { namespace } = dependent
  const tools = new KafkaTools(dependent, image)

  async function grow(): Promise<void> {
    await dependent.scale(4)
    await dependent.ready(4)
    expect(await subject.members()).toEqual([0, 1, 2, 3])
  }

  const isBackToThree = () =>
    waitFor(
      'the engine has three members',
      async () => (await subject.members()).join() === '0,1,2',
      FORGOTTEN_WITHIN_MS,
    )

  it('forgets a broker that is killed and scaled away before it is back', async () => {
    await grow()
    const name = `${dependent.name}-3`
    const env = { POD: name, IN: namespace.name }
    await host.startProgram(
      'kill-the-fourth',
      'kill',
      Object.entries(env).map(([key, value]) => ({ name: key, value })),
      'Succeeded',
      { nodeName: (await dependent.pod(3)).spec.nodeName, hostPID: true },
    )
    await dependent.scale(3)
    const now = ['--grace-period=0', '--force', '--wait=false']
    await namespace.kubectl('delete', 'pod', name, ...now)
    await isBackToThree()
    await subject.load.goesOn()
  })

  it('holds a broker that is scaled away while partitions are on it, until they are moved', async () => {
    await grow()
    const words =
      '--create --topic held --replica-assignment 3:0,0:3 --config min.insync.replicas=1'
    await tools.kafka('kafka-topics', words)
    await dependent.scale(3)
    await waitFor('its agent says why it stays', async () => {
      return HELD.test((await dependent.status<{ reason: string }>(3)).reason)
    })
    await waitFor('an event of the pod says so', async () => {
      const { items } = await namespace.json<{ items: Event[] }>('events')
      return items.some(({ reason, message, involvedObject }) => {
        const own = involvedObject.name === `${dependent.name}-3`
        return own && reason === 'LeaveRefused' && HELD.test(message)
      })
    })
    expect(await subject.members()).toEqual([0, 1, 2, 3])
    await drainBrokers(dependent, tools, image, [3])
    await dependent.ready(3)
    await isBackToThree()
    expect(await subject.load.lost()).toEqual([])
  })
}

import { type KafkaRun, kafkaRun } from '../conformance/kafka/run.ts'

/** Kafka's records through kills of its controller and of Quorate's leader. */
export async function kafka(
  records: number,
): Promise<{ readonly passed: boolean } & Partial<KafkaRun>> {
  try {
    return { passed: true, ...(await kafkaRun(records)) }
  } catch (error) {
    console.error(error)
    return { passed: false, records }
  }
}

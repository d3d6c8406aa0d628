import { list, port, text } from '../../setting.ts'

/** What the agent of a Kafka broker is told beside what all agents are told. */
export const kafkaSettings = {
  kafkaPort: port('Listener of the broker that its agent and the clients in the cluster use', 9092),
  kafkaFirstId: port('Broker id of ordinal 0', 0),
  kafkaRoot: text(
    'Where the brokers keep their cluster in the tree: the path of zookeeper.connect',
  ),
  kafkaLogDirectories: list('The broker’s log.dirs; `logs` in the data directory when empty'),
  kafkaAdvertisedListeners: text(
    'advertised.listeners of each broker, with {host}, {pod}, {ordinal} and {<number>+ordinal} in it',
  ),
  kafkaCaFile: text('CA of the brokers; TLS is used when it is set'),
  kafkaCertificateFile: text('Certificate that the agent shows to the broker'),
  kafkaKeyFile: text('Key of that certificate'),
  kafkaVersion: text('Version of the brokers, for the member document'),
}

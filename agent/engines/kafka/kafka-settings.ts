import * as Type from 'typebox'
import { list, port, text } from '../../setting.ts'

/** What the agent of a Kafka broker is told beside what all agents are told. */
export const kafkaSettings = {
  kafkaMode: Type.Union([Type.Literal('zookeeper'), Type.Literal('kraft')], {
    default: 'zookeeper',
    description: 'Where the brokers keep their cluster: in the tree, or among themselves',
  }),
  kafkaRole: Type.Union(
    [Type.Literal('combined'), Type.Literal('broker'), Type.Literal('controller')],
    {
      default: 'combined',
      description:
        'With KRaft, of all pods of the set: brokers of which the lowest ordinals are controllers too, or one of both',
    },
  ),
  kafkaControllersCluster: text(
    'With the role broker: name in the tree of the cluster of the controllers',
  ),
  kafkaPort: port('Listener of the broker that its agent and the clients in the cluster use', 9092),
  kafkaFirstId: port('Broker id of ordinal 0, node id of a controller’s', 0),
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
  kafkaControllers: Type.Integer({
    minimum: 1,
    default: 3,
    description: 'With the role combined: so many of the lowest ordinals are controllers, and vote',
  }),
  kafkaControllerPort: port('With KRaft: listener CONTROLLER of the controllers', 9093),
  kafkaVersion: text('Version of the brokers, for the member document'),
}

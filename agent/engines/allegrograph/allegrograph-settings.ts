import * as Type from 'typebox'
import { port, text } from '../../setting.ts'

/** What the agent of an AllegroGraph server is told beside what all agents are told. */
export const allegrographSettings = {
  allegrographRole: Type.Union([Type.Literal('controlling'), Type.Literal('copy')], {
    default: 'controlling',
    description: 'The instance that creates the cluster and has a volume, or one of its copies',
  }),
  allegrographPort: port('HTTP of AllegroGraph', 10_035),
  allegrographRepository: text('Repository that is replicated', 'quorate'),
  allegrographUser: text('Superuser of all servers of AllegroGraph', 'admin'),
  allegrographPasswordFile: text('File that holds the password of that user'),
  allegrographCatalog: text('Root catalog of AllegroGraph on the data volume', 'rootcatalog'),
  allegrographControlling: text('host:port of the controlling instance, for copies'),
  allegrographCopies: text('StatefulSet of the copies, for the controlling instance'),
  allegrographPodUid: text('UID of this pod, for copies: it is in the name of the instance'),
}

import * as Type from 'typebox'
import { port, text } from '../../setting.ts'

/** What the agent of PostgreSQL under Patroni is told beside what all agents are told. */
export const postgresqlSettings = {
  patroniPort: port('REST API of Patroni', 8008),
  patroniUser: text('User of Patroni’s REST API, where it has one'),
  patroniPasswordFile: text('File that holds the password of that user'),
  patroniNamespace: text('Where Patroni keeps its clusters in the tree', '/service'),
  patroniScope: text(
    'Patroni’s name of the cluster; the name of the service in the tree when empty',
  ),
  patroniReplication: Type.Union(
    [
      Type.Literal(''),
      Type.Literal('asynchronous'),
      Type.Literal('synchronous'),
      Type.Literal('strict'),
    ],
    {
      default: '',
      description: 'What Patroni is told of synchronous replication; left as it is when empty',
    },
  ),
  postgresqlPort: port('Clients of PostgreSQL', 5432),
  postgresqlUser: text('Superuser of PostgreSQL', 'postgres'),
  postgresqlPasswordFile: text('File that holds the password of the superuser'),
  postgresqlData: text('Data directory of PostgreSQL on the data volume', 'pgroot/data'),
  roleLabel: text('Label of the pod that tells its role; none when empty', 'quorate/role'),
}

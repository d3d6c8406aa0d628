import { list, port, text } from '../../setting.ts'

/** What the agent of a Galera member is told beside what all agents are told. */
export const galeraSettings = {
  galeraPort: port('Clients of MariaDB', 3306),
  galeraReplicationPort: port('Members of Galera among themselves', 4567),
  galeraHosts: list('host:port of Galera’s members by ordinal, in place of DNS names'),
  galeraData: text('Data directory of MariaDB on the data volume', 'data'),
  galeraSocket: text(
    'Socket file of MariaDB, in a directory that both containers have',
    '/run/quorate/mariadb.sock',
  ),
  galeraPositionFile: text(
    'Where the container says at which transaction its data ends',
    '/run/quorate/galera-position',
  ),
  galeraAgentUser: text('User of the agent, which the first start makes', 'quorate-agent'),
  galeraAgentPasswordFile: text('File that holds the password of that user'),
  galeraDonorServes: text(
    'yes where a member goes on serving while others copy from it (mariabackup), else no',
    'yes',
  ),
  galeraTlsCaFile: text('CA of MariaDB’s certificates, where it has any'),
  galeraTlsCertificateFile: text('Certificate of the member'),
  galeraTlsKeyFile: text('Key of that certificate'),
}

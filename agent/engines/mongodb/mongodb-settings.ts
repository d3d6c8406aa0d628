import { list, port, text } from '../../setting.ts'

/** What the agent of a MongoDB member is told beside what all agents are told. */
export const mongodbSettings = {
  mongodbReplicaSet: text('Name of the replica set', 'rs0'),
  mongodbPort: port('Clients and members of MongoDB', 27_017),
  mongodbHosts: list('host:port of the members of MongoDB by ordinal, in place of DNS names'),
  mongodbKeyFile: text('File with the key by which members of MongoDB know each other'),
  mongodbAgentUser: text('User of the agent, which it makes with the set', 'quorate-agent'),
  mongodbAgentPasswordFile: text('File that holds the password of that user'),
  mongodbUsers: list('Users that are made where they are missing: NAME=ROLE@DATABASE[+…]:FILE'),
  mongodbTlsCaFile: text('CA of MongoDB’s certificates; TLS is required of all when it is set'),
  mongodbTlsCertificateFile: text('Certificate of the member'),
  mongodbTlsKeyFile: text('Key of that certificate'),
}

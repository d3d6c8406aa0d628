import { list, port, text } from '../../setting.ts'

/** What the agent of a server is told beside what all agents are told. */
export const quorateSettings = {
  peerServers: list('host:port of the peer ports by ordinal, in place of DNS names'),
  engineToken: text('Bearer token of the engine’s HTTP API'),
  engineTokenFile: text('File that holds the bearer token of the engine’s HTTP API'),
  peerPort: port('Peers of the server', 2888),
  httpPort: port('HTTP of the server', 8080),
}

#!/nodejs/bin/node
// ZooKeeper's zkCli under its own name: `zkCli.sh [-server host:port] [command …]`. Without -server
// it speaks to the server of its own container, whose address is in QUORATE_SERVER.
const bundle = '/opt/quorate/dist/quorate.js'
process.argv.splice(1, process.argv.length, bundle, 'zk', ...process.argv.slice(2))
import(bundle)

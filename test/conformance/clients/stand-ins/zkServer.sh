#!/bin/sh
# Stands for ZooKeeper's script in the suite of go-zookeeper/zk: zkServer.sh start-foreground FILE
. "$(dirname "$0")/serve.sh"
serve "$2" $SERVER_JVMFLAGS

package main

import (
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// counter adds 1 to the number in a file under the lock recipe: ARGUMENTS are the file and how often.
// The file is outside the servers: two processes in the lock at once would lose an increment.
func counter(at place) {
	file := at.arguments[0]
	times, err := strconv.Atoi(at.arguments[1])
	must(err, "times")
	client := connect(at.hosts)
	for i := 0; i < times; i++ {
		lock := zk.NewLock(client, at.root, zk.WorldACL(zk.PermAll))
		must(lock.Lock(), "lock")
		text, err := os.ReadFile(file)
		must(err, "read")
		value, err := strconv.Atoi(string(text))
		must(err, "number")
		must(os.WriteFile(file, []byte(strconv.Itoa(value+1)), 0o600), "write")
		must(lock.Unlock(), "unlock")
	}
	client.Close()
}

// words are the four-letter words as the library's own expressions read them.
func words(at place) {
	client := begin(at)
	leaders := 0
	servers, all := zk.FLWSrvr(at.hosts, within)
	for i, server := range servers {
		must(server.Error, "srvr")
		equal(server.Server, at.hosts[i], "server")
		if server.Mode == zk.ModeLeader {
			leaders++
		} else {
			equal(server.Mode, zk.ModeFollower, "mode")
		}
		if server.BuildTime.After(time.Now().Add(24*time.Hour)) || server.NodeCount < 5 {
			log.Fatalf("srvr: %+v", server)
		}
	}
	equal(all, true, "every srvr was read")
	equal(leaders, 1, "leaders")
	for i, ok := range zk.FLWRuok(at.hosts, within) {
		equal(ok, true, "ruok of "+at.hosts[i])
	}
	// The library cannot read the line of a connection that has no session, as that of cons itself.
	clients, _ := zk.FLWCons(at.hosts, within)
	mine := 0
	for _, server := range clients {
		must(server.Error, "cons")
		for _, each := range server.Clients {
			if each.SessionID == client.SessionID() {
				mine++
				equal(each.LastOperation, "CREA", "last operation")
				equal(each.Timeout, int32(sessionTimeout/time.Millisecond), "timeout")
			}
		}
	}
	equal(mine, 1, "connections of this session")
	client.Close()
}

// reconfigs takes a follower out and back in. ARGUMENTS: the superuser's credentials, the number of the
// server to take out.
func reconfigs(at place) {
	client := connect(at.hosts)
	// A new ensemble writes its configuration down when all servers are in.
	deadline := time.Now().Add(within)
	for len(configuration(client)) < 3 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	_, err := client.IncrementalReconfig(nil, []string{at.arguments[1]}, -1)
	refused(err, zk.ErrNoAuth, "reconfig of somebody")
	must(client.AddAuth("digest", []byte(at.arguments[0])), "auth")
	before := configuration(client)
	equal(len(before), 3, "servers")
	line := before[at.arguments[1]]
	_, err = client.IncrementalReconfig(nil, []string{at.arguments[1]}, -1)
	must(err, "reconfig that takes one out")
	between := configuration(client)
	equal(len(between), 2, "servers without it")
	_, err = client.IncrementalReconfig([]string{line}, nil, -1)
	must(err, "reconfig that takes it back in")
	equal(configuration(client)[at.arguments[1]], line, "its line")
	var two []string
	for _, each := range between {
		two = append(two, each)
	}
	_, err = client.Reconfig(two, -1)
	must(err, "reconfig that lists two servers")
	equal(len(configuration(client)), 2, "servers listed")
	client.Close()
}

// configuration is what /zookeeper/config says: the line of each server by its number.
func configuration(client *zk.Conn) map[string]string {
	_, err := client.Sync("/zookeeper/config")
	must(err, "sync")
	data, _, err := client.Get("/zookeeper/config")
	must(err, "configuration")
	servers := map[string]string{}
	for _, line := range strings.Split(string(data), "\n") {
		key, _, _ := strings.Cut(line, "=")
		if strings.HasPrefix(key, "server.") {
			servers[strings.TrimPrefix(key, "server.")] = line
		}
	}
	return servers
}

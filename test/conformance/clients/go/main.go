// What users of go-zookeeper/zk do, one case a run: client HOSTS ROOT CASE [ARGUMENT...]. Exit code 0
// when it held; else what did not hold is the last line on standard error.
package main

import (
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	sessionTimeout = 20 * time.Second
	within         = 30 * time.Second
)

// place is where a case may leave its znodes, and the servers that it asks.
type place struct {
	hosts     []string
	root      string
	arguments []string
}

var cases = map[string]func(place){
	"acls":       acls,
	"children":   children,
	"counter":    counter,
	"kinds":      kinds,
	"moves":      moves,
	"multis":     multis,
	"reconfigs":  reconfigs,
	"setwatches": setWatches,
	"watches":    watches,
	"words":      words,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 4 {
		log.Fatal("client HOSTS ROOT CASE [ARGUMENT...]")
	}
	run, known := cases[os.Args[3]]
	if !known {
		log.Fatalf("there is no case %s", os.Args[3])
	}
	run(place{strings.Split(os.Args[1], ","), os.Args[2], os.Args[4:]})
}

type silent struct{}

func (silent) Printf(string, ...interface{}) {}

// connect returns a client that has a session.
func connect(hosts []string) *zk.Conn {
	client, events, err := zk.Connect(hosts, sessionTimeout, zk.WithLogger(silent{}))
	must(err, "connect")
	late := time.After(within)
	for {
		select {
		case event := <-events:
			if event.State == zk.StateHasSession {
				go drain(events)
				return client
			}
		case <-late:
			log.Fatal("no session in time")
		}
	}
}

func drain(events <-chan zk.Event) {
	for range events {
	}
}

// begin connects and makes the root of a case.
func begin(at place) *zk.Conn {
	client := connect(at.hosts)
	create(client, at.root, "", zk.FlagPersistent)
	return client
}

func create(client *zk.Conn, path, data string, flags int32) string {
	made, err := client.Create(path, []byte(data), flags, zk.WorldACL(zk.PermAll))
	must(err, "create "+path)
	return made
}

func must(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func refused(err, wanted error, what string) {
	if err != wanted {
		log.Fatalf("%s: %v instead of %v", what, err, wanted)
	}
}

// caughtUp returns when the client's server has applied all that anybody was told before: a write has its turn
// behind it. A sync has not: Apache ZooKeeper's leader answers one of its own clients before what it has yet to apply.
func caughtUp(client *zk.Conn) {
	refused(client.Delete("/no-such-znode", -1), zk.ErrNoNode, "delete of nothing")
}

func equal[T comparable](got, wanted T, what string) {
	if got != wanted {
		log.Fatalf("%s: %v instead of %v", what, got, wanted)
	}
}

func sorted(names []string) string {
	sort.Strings(names)
	return fmt.Sprint(names)
}

// expect waits for one event of a watch.
func expect(events <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case event := <-events:
		must(event.Err, "event of "+path)
		equal(event.Type, kind, "event of "+path)
		equal(event.Path, path, "path of an event")
	case <-time.After(within):
		log.Fatalf("no event of %s in time", path)
	}
}

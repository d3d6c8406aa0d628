package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// watches of the three kinds, each of which fires once.
func watches(at place) {
	client := begin(at)
	other := connect(at.hosts)
	path := at.root + "/a"
	exists, _, created, err := client.ExistsW(path)
	must(err, "exists")
	equal(exists, false, "it exists")
	_, _, born, err := client.ChildrenW(at.root)
	must(err, "children")
	create(other, path, "0", zk.FlagPersistent)
	expect(created, zk.EventNodeCreated, path)
	expect(born, zk.EventNodeChildrenChanged, at.root)
	_, _, changed, err := client.GetW(path)
	must(err, "get")
	_, err = other.Set(path, []byte("1"), 0)
	must(err, "set")
	expect(changed, zk.EventNodeDataChanged, path)
	data, _, deleted, err := client.GetW(path)
	must(err, "get")
	equal(string(data), "1", "data at the event")
	must(other.Delete(path, 1), "delete")
	expect(deleted, zk.EventNodeDeleted, path)
	client.Close()
	other.Close()
}

const grown = 200

// children grow while a loop over ChildrenW looks on: no state that lasts may be missed.
func children(at place) {
	client := begin(at)
	other := connect(at.hosts)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for i := 0; i < grown; i++ {
			create(other, fmt.Sprintf("%s/%03d", at.root, i), "", zk.FlagEphemeral)
		}
	}()
	seen := 0
	for seen < grown {
		names, stat, changed, err := client.ChildrenW(at.root)
		must(err, "children")
		equal(int(stat.NumChildren), len(names), "children counted")
		if len(names) < seen {
			log.Fatalf("%d children after %d", len(names), seen)
		}
		seen = len(names)
		if seen < grown {
			expect(changed, zk.EventNodeChildrenChanged, at.root)
		}
	}
	// The last child may be seen before its maker has the answer.
	<-answered
	_, _, emptied, err := client.ChildrenW(at.root)
	must(err, "children")
	other.Close()
	expect(emptied, zk.EventNodeChildrenChanged, at.root)
	client.Close()
}

const manyWatches = 10_000

// setWatches keeps 10,000 watches over a lost connection. The library sets them again in frames of 128 kB
// and asks for the events that it missed: half of the znodes change meanwhile.
func setWatches(at place) {
	maker := begin(at)
	lines := &dialler{}
	watcher, _, err := zk.Connect(at.hosts, sessionTimeout, zk.WithLogger(silent{}), zk.WithDialer(lines.dial))
	must(err, "connect")
	path := func(i int) string {
		return fmt.Sprintf("%s/a-znode-with-a-name-of-some-length-%05d", at.root, i)
	}
	inParallel(func(i int) { create(maker, path(i), "0", zk.FlagPersistent) })
	caughtUp(watcher)
	events := make([]<-chan zk.Event, manyWatches)
	inParallel(func(i int) {
		_, _, changed, err := watcher.GetW(path(i))
		must(err, "get")
		events[i] = changed
	})
	session := watcher.SessionID()
	lines.cut()
	inParallel(func(i int) {
		if i%2 == 0 {
			_, err := maker.Set(path(i), []byte("1"), 0)
			must(err, "set")
		}
	})
	lines.mend()
	for i := 0; i < manyWatches; i += 2 {
		expect(events[i], zk.EventNodeDataChanged, path(i))
	}
	equal(watcher.SessionID(), session, "session")
	inParallel(func(i int) {
		if i%2 == 1 {
			_, err := maker.Set(path(i), []byte("2"), 0)
			must(err, "set")
		}
	})
	for i := 1; i < manyWatches; i += 2 {
		expect(events[i], zk.EventNodeDataChanged, path(i))
	}
	maker.Close()
	watcher.Close()
}

// inParallel calls do for every znode of setWatches, by some goroutines, so that requests are pipelined.
func inParallel(do func(i int)) {
	const goroutines = 50
	var all sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		all.Add(1)
		go func(first int) {
			defer all.Done()
			for i := first; i < manyWatches; i += goroutines {
				do(i)
			}
		}(g)
	}
	all.Wait()
}

// dialler opens connections that can be cut, and none until that is mended.
type dialler struct {
	lock    sync.Mutex
	broken  bool
	current net.Conn
}

func (d *dialler) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.broken {
		return nil, fmt.Errorf("the line to %s is cut", address)
	}
	conn, err := net.DialTimeout(network, address, timeout)
	d.current = conn
	return conn, err
}

func (d *dialler) cut() {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.broken = true
	must(d.current.Close(), "cut")
}

func (d *dialler) mend() {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.broken = false
}

// moves prints the server that the session is at, waits for a line, by which that server is killed, and
// goes on with the same session: its ephemeral is there, and so is its watch.
func moves(at place) {
	client := begin(at)
	path := at.root + "/held"
	create(client, path, "0", zk.FlagEphemeral)
	_, _, changed, err := client.GetW(path)
	must(err, "get")
	session, server := client.SessionID(), client.Server()
	fmt.Println(server)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		log.Fatal(err)
	}
	deadline := time.Now().Add(within)
	for {
		_, stat, err := client.Get(path)
		if err == nil {
			equal(stat.EphemeralOwner, session, "owner")
			break
		}
		if time.Now().After(deadline) {
			log.Fatalf("not back in time: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	equal(client.SessionID(), session, "session")
	equal(client.Server() == server, false, "still at the server that was killed")
	_, err = client.Set(path, []byte("1"), 0)
	must(err, "set")
	expect(changed, zk.EventNodeDataChanged, path)
	client.Close()
}

// Prints the members of a cluster that are ready, again whenever that changes:
//
//	members HOST:PORT[,HOST:PORT...] CLUSTER
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const services = "/members/v1/services"

// member is what this program reads of a member's document.
type member struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Port    *int   `json:"port"`
	SslPort *int   `json:"sslPort"`
	Enabled bool   `json:"enabled"`
	Payload struct {
		Role string `json:"role"`
	} `json:"payload"`
}

func (m member) String() string {
	port := m.Port
	if port == nil {
		port = m.SslPort
	}
	return fmt.Sprintf("%s %s %s:%d", m.ID, m.Payload.Role, m.Address, *port)
}

// read gives all members, and a channel that says when they may be others. Watches of earlier reads
// end in the same channel; one word is enough.
func read(conn *zk.Conn, path string, changed chan struct{}) ([]member, error) {
	tell := func(events <-chan zk.Event) {
		<-events
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	names, _, events, err := conn.ChildrenW(path)
	if errors.Is(err, zk.ErrNoNode) {
		// Nobody has ever been a member.
		var exists bool
		if exists, _, events, err = conn.ExistsW(path); err != nil {
			return nil, err
		}
		go tell(events)
		if exists {
			return read(conn, path, changed)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	go tell(events)
	sort.Strings(names)
	var members []member
	for _, name := range names {
		data, _, events, err := conn.GetW(path + "/" + name)
		if errors.Is(err, zk.ErrNoNode) {
			continue // It has left since; the list's watch knows.
		}
		if err != nil {
			return nil, err
		}
		go tell(events)
		var one member
		if err := json.Unmarshal(data, &one); err != nil {
			return nil, err
		}
		members = append(members, one)
	}
	return members, nil
}

func main() {
	conn, _, err := zk.Connect(strings.Split(os.Args[1], ","), 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		log.Fatal(err)
	}
	changed := make(chan struct{}, 1)
	for {
		members, err := read(conn, services+"/"+os.Args[2], changed)
		if err != nil {
			log.Print(err) // No server answers: the next one may.
			time.Sleep(time.Second)
			continue
		}
		var lines []string
		for _, one := range members {
			if one.Enabled {
				lines = append(lines, one.String())
			}
		}
		fmt.Println(strings.Join(lines, ", "))
		<-changed
	}
}

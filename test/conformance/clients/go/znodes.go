package main

import (
	"regexp"
	"time"

	"github.com/go-zookeeper/zk"
)

var protectedName = regexp.MustCompile(`/_c_[0-9a-f]{32}-n-0000000002$`)

// kinds makes znodes of every kind that the library knows.
func kinds(at place) {
	client := begin(at)
	world := zk.WorldACL(zk.PermAll)
	equal(create(client, at.root+"/n-", "", zk.FlagSequence), at.root+"/n-0000000000", "name")
	own := create(client, at.root+"/e-", "", zk.FlagEphemeral|zk.FlagSequence)
	equal(own, at.root+"/e-0000000001", "name")
	guarded, err := client.CreateProtectedEphemeralSequential(at.root+"/n-", []byte("x"), world)
	must(err, "protected create")
	equal(protectedName.MatchString(guarded), true, guarded)
	for _, path := range []string{own, guarded} {
		_, stat, err := client.Get(path)
		must(err, "get "+path)
		equal(stat.EphemeralOwner, client.SessionID(), "owner of "+path)
		_, err = client.Create(path+"/child", nil, 0, world)
		refused(err, zk.ErrNoChildrenForEphemerals, "child of an ephemeral")
	}

	container, err := client.CreateContainer(at.root+"/c", []byte("c"), zk.FlagContainer, world)
	must(err, "container")
	ttl, err := client.CreateTTL(at.root+"/t", []byte("t"), zk.FlagTTL, world, time.Hour)
	must(err, "ttl")
	numbered, err := client.CreateTTL(
		at.root+"/t-", nil, zk.FlagPersistentSequentialWithTTL, world, time.Hour)
	must(err, "sequential ttl")
	equal(numbered, at.root+"/t-0000000005", "name")
	for _, path := range []string{container, ttl} {
		data, stat, err := client.Get(path)
		must(err, "get "+path)
		equal(string(data), path[len(at.root)+1:], "data of "+path)
		equal(stat.EphemeralOwner, 0, "owner of "+path)
		create(client, path+"/child", "", zk.FlagPersistent)
	}

	other := connect(at.hosts)
	_, err = other.Sync(at.root)
	must(err, "sync")
	exists, _, gone, err := other.ExistsW(own)
	must(err, "exists")
	equal(exists, true, "the ephemeral exists")
	client.Close()
	expect(gone, zk.EventNodeDeleted, own)
	names, stat, err := other.Children(at.root)
	must(err, "children")
	equal(sorted(names), "[c n-0000000000 t t-0000000005]", "what the session left")
	equal(stat.NumChildren, 4, "children counted")
	other.Close()
}

// multis has one that is carried out and one that is not.
func multis(at place) {
	client := begin(at)
	world := zk.WorldACL(zk.PermAll)
	create(client, at.root+"/a", "one", zk.FlagPersistent)
	results, err := client.Multi(
		&zk.CheckVersionRequest{Path: at.root + "/a", Version: 0},
		&zk.SetDataRequest{Path: at.root + "/a", Data: []byte("two"), Version: 0},
		&zk.CreateRequest{Path: at.root + "/b-", Flags: zk.FlagSequence, Acl: world},
		&zk.DeleteRequest{Path: at.root + "/a", Version: 1},
	)
	must(err, "multi")
	equal(len(results), 4, "results")
	equal(results[1].Stat.Version, 1, "version")
	equal(results[2].String, at.root+"/b-0000000001", "created")

	results, err = client.Multi(
		&zk.CreateRequest{Path: at.root + "/c", Acl: world},
		&zk.SetDataRequest{Path: at.root + "/missing", Version: -1},
		&zk.CreateRequest{Path: at.root + "/d", Acl: world},
	)
	refused(err, zk.ErrNoNode, "multi")
	equal(len(results), 3, "results of one that failed")
	refused(results[0].Error, nil, "before the failure")
	refused(results[1].Error, zk.ErrNoNode, "the failure")
	names, _, err := client.Children(at.root)
	must(err, "children")
	equal(sorted(names), "[b-0000000001]", "all or nothing")
	client.Close()
}

// acls are those of digest and auth.
func acls(at place) {
	ann := begin(at)
	bob := connect(at.hosts)
	path := at.root + "/guarded"
	_, err := ann.Create(path, nil, 0, zk.AuthACL(zk.PermAll))
	refused(err, zk.ErrInvalidACL, "auth without an identity")
	must(ann.AddAuth("digest", []byte("ann:secret")), "auth")
	_, err = ann.Create(path, []byte("x"), 0, zk.AuthACL(zk.PermAll))
	must(err, "create")
	list, _, err := ann.GetACL(path)
	must(err, "acl")
	equal(list[0], zk.DigestACL(zk.PermAll, "ann", "secret")[0], "acl")

	caughtUp(bob)
	_, _, err = bob.Get(path)
	refused(err, zk.ErrNoAuth, "get")
	_, err = bob.SetACL(path, zk.WorldACL(zk.PermAll), -1)
	refused(err, zk.ErrNoAuth, "set of the acl")
	must(bob.AddAuth("digest", []byte("bob:secret")), "auth")
	_, _, err = bob.Get(path)
	refused(err, zk.ErrNoAuth, "get as bob")
	stat, err := ann.SetACL(path, zk.DigestACL(zk.PermRead, "bob", "secret"), 0)
	must(err, "set of the acl")
	equal(stat.Aversion, 1, "version of the acl")
	caughtUp(bob)
	_, _, err = bob.Get(path)
	must(err, "get as bob, who may")
	_, err = bob.Set(path, nil, -1)
	refused(err, zk.ErrNoAuth, "set as bob")

	mallory := connect(at.hosts)
	refused(mallory.AddAuth("nobody-knows", []byte("x")), zk.ErrAuthFailed, "unknown scheme")
	ann.Close()
	bob.Close()
	mallory.Close()
}

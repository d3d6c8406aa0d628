"""What kazoo's users do first, one case a run: basics.py HOSTS ROOT CASE. Exit code 0 when it held."""

import logging
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.recipe.election import Election
from kazoo.security import make_digest_acl
from recipes.case import caught_up, refuses

logging.basicConfig(level=logging.WARNING)
hosts, root, case = sys.argv[1:]


def client(**options):
    zk = KazooClient(hosts=hosts, timeout=20.0, **options)
    zk.start(timeout=30)
    return zk


def creates(zk):
    assert zk.create(f"{root}/a", b"hello") == f"{root}/a"
    assert zk.get(f"{root}/a")[0] == b"hello"
    refuses(NodeExistsError, zk.create, f"{root}/a", b"again")
    refuses(NoNodeError, zk.create, f"{root}/missing/child", b"")
    assert zk.exists(f"{root}/missing") is None
    path, stat = zk.create(f"{root}/with-stat", b"12345", include_data=True)
    assert (path, stat.dataLength, stat.version) == (f"{root}/with-stat", 5, 0)
    assert zk.create(f"{root}/made/on/the/way", b"", makepath=True) == f"{root}/made/on/the/way"
    assert zk.create(f"{root}/n-", b"", sequence=True) == f"{root}/n-0000000003"
    assert zk.create(f"{root}/n-", b"", sequence=True) == f"{root}/n-0000000004"


def ensures(zk):
    assert zk.ensure_path(f"{root}/one/two/three")
    assert zk.ensure_path(f"{root}/one/two/three")
    assert zk.get_children(f"{root}/one") == ["two"]
    assert zk.get_children(f"{root}/one/two") == ["three"]


def sets(zk):
    zk.create(f"{root}/a", b"first")
    stat = zk.set(f"{root}/a", b"second", version=0)
    assert stat.version == 1
    refuses(BadVersionError, zk.set, f"{root}/a", b"third", version=0)
    refuses(NoNodeError, zk.set, f"{root}/b", b"x")
    assert zk.get(f"{root}/a")[0] == b"second"
    assert zk.set(f"{root}/a", b"").dataLength == 0
    assert zk.get(f"{root}/a")[0] == b""


def stats(zk):
    before = time.time()
    zk.create(f"{root}/a", b"hello")
    born = zk.exists(f"{root}/a")
    assert born.czxid == born.mzxid == born.pzxid
    assert born.ctime == born.mtime
    assert abs(born.ctime / 1000 - before) < 10
    assert (born.version, born.cversion, born.aversion) == (0, 0, 0)
    assert (born.ephemeralOwner, born.dataLength, born.numChildren) == (0, 5, 0)
    zk.set(f"{root}/a", b"longer than before")
    zk.create(f"{root}/a/child", b"", ephemeral=True)
    stat = zk.exists(f"{root}/a")
    assert (stat.czxid, stat.ctime) == (born.czxid, born.ctime)
    assert stat.czxid < stat.mzxid < stat.pzxid
    assert (stat.version, stat.cversion, stat.aversion) == (1, 1, 0)
    assert (stat.dataLength, stat.numChildren) == (18, 1)
    child = zk.exists(f"{root}/a/child")
    assert child.ephemeralOwner == zk.client_id[0]
    assert child.czxid == stat.pzxid
    children, of_list = zk.get_children(f"{root}/a", include_data=True)
    assert (children, of_list) == (["child"], stat)


def deletes(zk):
    zk.ensure_path(f"{root}/a/b/c")
    zk.ensure_path(f"{root}/a/d")
    refuses(NotEmptyError, zk.delete, f"{root}/a")
    refuses(BadVersionError, zk.delete, f"{root}/a/d", version=7)
    zk.delete(f"{root}/a", recursive=True)
    assert zk.exists(f"{root}/a") is None
    refuses(NoNodeError, zk.delete, f"{root}/a")


def watches(zk):
    seen = []
    told = threading.Event()
    calls = threading.Semaphore(0)
    zk.create(f"{root}/a", b"0")

    @zk.DataWatch(f"{root}/a")
    def changed(data, stat):
        seen.append(data)
        calls.release()
        if data == b"3":
            told.set()

    for value in (b"1", b"2", b"3"):
        assert calls.acquire(timeout=30)
        zk.set(f"{root}/a", value)
    assert told.wait(30)
    assert seen == [b"0", b"1", b"2", b"3"], seen


def ephemerals(zk):
    gone = threading.Event()
    other = client()
    other.create(f"{root}/e", b"", ephemeral=True)
    caught_up(zk)
    assert zk.exists(f"{root}/e", watch=lambda event: gone.set())
    other.stop()
    other.close()
    assert gone.wait(30)
    assert zk.exists(f"{root}/e") is None


def transactions(zk):
    zk.create(f"{root}/a", b"x")
    transaction = zk.transaction()
    transaction.check(f"{root}/a", version=0)
    transaction.set_data(f"{root}/a", b"y")
    transaction.create(f"{root}/b", b"z")
    transaction.delete(f"{root}/b")
    results = transaction.commit()
    assert results[0] is True and results[2:] == [f"{root}/b", True], results
    assert results[1].version == 1
    failing = zk.transaction()
    failing.create(f"{root}/c", b"")
    failing.check(f"{root}/a", version=0)
    failing.create(f"{root}/d", b"")
    kinds = [type(result) for result in failing.commit()]
    assert kinds == [RolledBackError, BadVersionError, RuntimeInconsistency], kinds
    assert zk.exists(f"{root}/c") is None


def acls(zk):
    owner = client(auth_data=[("digest", "ann:secret")])
    acl = make_digest_acl("ann", "secret", all=True)
    owner.create(f"{root}/guarded", b"secret", acl=[acl])
    assert owner.get_acls(f"{root}/guarded")[0] == [acl]
    caught_up(zk)
    refuses(NoAuthError, zk.get, f"{root}/guarded")
    zk.add_auth("digest", "ann:secret")
    assert zk.get(f"{root}/guarded")[0] == b"secret"
    owner.stop()


def elections(zk):
    """Three candidates, all elected once, never two at a time."""
    order = []
    leading = threading.Lock()
    clients = [client() for _ in range(3)]

    def lead(name):
        assert leading.acquire(blocking=False), "two lead at a time"
        order.append(name)
        leading.release()

    threads = [
        threading.Thread(target=Election(each, f"{root}/election", str(name)).run, args=(lead, name))
        for name, each in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(order) == [0, 1, 2], order
    for each in clients:
        each.stop()


CASES = {
    function.__name__: function
    for function in (
        creates,
        ensures,
        sets,
        stats,
        deletes,
        watches,
        ephemerals,
        transactions,
        acls,
        elections,
    )
}

zk = client()
zk.create(root)
CASES[case](zk)
zk.stop()
zk.close()

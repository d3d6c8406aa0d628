"""DataWatch, ChildrenWatch and PatientChildrenWatch, TreeCache."""

import queue

from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.watchers import PatientChildrenWatch

from case import WITHIN_S, caught_up, eventually


def data_watches(case):
    """A znode that comes, changes, goes and comes again, until the function wants no more."""
    watching, other = case.clients(2)
    path = f"{case.path}/watched"
    seen = queue.Queue()

    @watching.DataWatch(path)
    def changed(data, stat, event):
        seen.put((data, stat and stat.version, event and event.type))
        return data != b"enough"

    def told(*what):
        assert seen.get(timeout=WITHIN_S) == what

    told(None, None, None)
    other.create(path, b"0", makepath=True)
    told(b"0", 0, EventType.CREATED)
    other.set(path, b"1")
    told(b"1", 1, EventType.CHANGED)
    other.delete(path)
    told(None, None, EventType.DELETED)
    other.create(path, b"new")
    told(b"new", 0, EventType.CREATED)
    other.set(path, b"enough")
    told(b"enough", 1, EventType.CHANGED)
    after = queue.Queue()
    watching.DataWatch(path, lambda data, stat: after.put(data))
    other.set(path, b"unseen")
    assert [after.get(timeout=WITHIN_S) for _ in range(2)] == [b"enough", b"unseen"]
    assert seen.empty()


def children_watches(case):
    """Whatever comes and goes while others look, the last list is right; and told of by events."""
    zks = case.clients(3)
    zks[0].ensure_path(case.path)
    lists = [[] for _ in zks]
    for zk, seen in zip(zks, lists):
        caught_up(zk)
        zk.ChildrenWatch(case.path, lambda children, seen=seen: seen.append(sorted(children)))
    events = queue.Queue()
    zks[1].ChildrenWatch(case.path, lambda _, event: events.put(event), send_event=True)
    assert events.get(timeout=WITHIN_S) is None

    def comes_and_goes(zk, name):
        for i in range(10):
            zk.create(f"{case.path}/{name}{i}")
            if i % 2 == 0:
                zk.delete(f"{case.path}/{name}{i}")

    case.at_once(comes_and_goes, zks, "abc")
    stay = [f"{name}{i}" for name in "abc" for i in (1, 3, 5, 7, 9)]
    for seen in lists:
        eventually("the last list", lambda: seen[-1] == stay)
        assert seen[0] == [] and len(seen) > 1, seen
    event = events.get(timeout=WITHIN_S)
    assert (event.type, event.path) == (EventType.CHILD, case.path)
    patient = PatientChildrenWatch(zks[2], case.path, time_boundary=0.05).start()
    children, changed = patient.get(timeout=WITHIN_S)
    assert sorted(children) == stay
    assert not changed.ready()
    zks[0].delete(f"{case.path}/a1")
    changed.get(timeout=WITHIN_S)


def tree_caches(case):
    """A cache of a subtree has what was there, and whatever others make of it."""
    watching, other = case.clients(2)
    other.create(f"{case.path}/old/deep", b"there", makepath=True)
    caught_up(watching)
    events, faults = queue.Queue(), []
    cache = TreeCache(watching, case.path)
    cache.listen(events.put)
    cache.listen_fault(faults.append)
    cache.start()

    def told(*expected):
        """The next events, in whatever order."""
        found = [events.get(timeout=WITHIN_S) for _ in expected]
        names = [(kind, data and data.path[len(case.path) :]) for kind, data in found]
        assert sorted(names) == sorted(expected), names

    told(*[(TreeEvent.NODE_ADDED, name) for name in ("", "/old", "/old/deep")])
    told((TreeEvent.INITIALIZED, None))
    assert cache.get_data(f"{case.path}/old/deep").data == b"there"
    assert cache.get_data(f"{case.path}/none") is None
    other.set(f"{case.path}/old/deep", b"changed")
    told((TreeEvent.NODE_UPDATED, "/old/deep"))
    assert cache.get_data(f"{case.path}/old/deep").data == b"changed"
    other.create(f"{case.path}/old/deeper/still", b"made", makepath=True)
    told((TreeEvent.NODE_ADDED, "/old/deeper"), (TreeEvent.NODE_ADDED, "/old/deeper/still"))
    assert cache.get_children(f"{case.path}/old") == {"deep", "deeper"}
    other.delete(f"{case.path}/old", recursive=True)
    gone = ("/old", "/old/deep", "/old/deeper", "/old/deeper/still")
    told(*[(TreeEvent.NODE_REMOVED, name) for name in gone])
    assert cache.get_children(case.path) == frozenset()
    assert faults == [], faults
    cache.close()

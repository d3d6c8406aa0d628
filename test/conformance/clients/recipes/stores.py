"""Queue and LockingQueue, Counter, NonBlockingLease and MultiNonBlockingLease."""

from datetime import datetime, timedelta

from case import WITHIN_S, caught_up


def queues(case):
    """By priority, then in the order in which they came; each once, whoever takes them."""
    zks = case.clients(3)
    queue = zks[0].Queue(case.path)
    for value, priority in ((b"last", 900), (b"second", 100), (b"third", 100), (b"first", 5)):
        queue.put(value, priority)
    assert len(queue) == 4
    assert [queue.get() for _ in range(5)] == [b"first", b"second", b"third", b"last", None]
    taken = []

    def puts(zk, name):
        for i in range(10):
            zk.Queue(case.path).put(b"%s%d" % (name, i))

    def takes(zk):
        mine = zk.Queue(case.path)
        while len(taken) < 20:
            value = mine.get()
            if value is not None:
                taken.append(value)

    taking = [case.begin(takes, zk) for zk in zks]
    case.at_once(puts, zks, (b"x", b"y"))
    for each in taking:
        each.result(WITHIN_S)
    assert sorted(taken) == [b"%s%d" % (name, i) for name in (b"x", b"y") for i in range(10)], taken


def locking_queues(case):
    """What is taken is nobody else's until it is given back, or its taker has died."""
    first, second, third = case.clients(3)
    one, other, last = [zk.LockingQueue(case.path) for zk in (first, second, third)]
    waiting = case.begin(one.get, WITHIN_S)
    other.put_all([b"a", b"b"])
    assert waiting.result(WITHIN_S) == b"a"
    assert one.holds_lock() and not other.holds_lock()
    assert other.get(WITHIN_S) == b"b"
    assert last.get(0) is None
    given_back = case.begin(last.get, WITHIN_S)
    assert other.release() and not other.release()
    assert given_back.result(WITHIN_S) == b"b"
    assert last.consume() and not last.consume()
    freed = case.begin(other.get, WITHIN_S)
    first.stop()
    assert freed.result(WITHIN_S) == b"a"
    assert other.consume()
    caught_up(third)
    assert len(last) == 0
    taken = []

    def takes(queue):
        while len(taken) < 12:
            value = queue.get(0.1)
            if value is not None:
                assert queue.consume()
                taken.append(value)

    values = [b"%02d" % i for i in range(12)]
    taking = [case.begin(takes, queue) for queue in (other, last)]
    last.put_all(values)
    for each in taking:
        each.result(WITHIN_S)
    assert sorted(taken) == values, taken


def counters(case):
    """Nothing is lost between four clients; floats, and the form of Curator's SharedCount."""
    zks = case.clients(4)

    def adds(zk):
        counter = zk.Counter(f"{case.path}/int")
        for _ in range(6):
            counter += 3
            counter -= 1
            assert counter.post_value == counter.pre_value - 1

    case.at_once(adds, zks)
    caught_up(zks[0])
    assert zks[0].Counter(f"{case.path}/int").value == 48
    fractions = zks[1].Counter(f"{case.path}/float", default=1.0)
    fractions += 2.5
    assert (fractions.pre_value, fractions.value) == (1.0, 3.5)
    shared = zks[2].Counter(f"{case.path}/curator", support_curator=True)
    shared -= 2
    assert shared.value == -2
    assert zks[2].get(f"{case.path}/curator")[0] == b"\xff\xff\xff\xfe"


def leases(case):
    """One has it until its time is over; of three who want one of two, two get one."""
    zks = case.clients(3)
    now = datetime(2001, 2, 3, 4, 5, 6)
    hour = timedelta(hours=1)

    def lease(client, passed):
        zk = zks[client]
        path = f"{case.path}/one"
        return bool(zk.NonBlockingLease(path, hour, str(client), lambda: now + passed))

    minute = timedelta(minutes=1)
    assert lease(0, 0 * minute)
    assert not lease(1, 59 * minute)
    assert lease(0, 59 * minute)
    assert not lease(1, 61 * minute)
    assert lease(1, 120 * minute)
    assert not lease(0, 121 * minute)
    asked = [
        case.begin(zk.MultiNonBlockingLease, 2, f"{case.path}/two", hour, str(i), lambda: now)
        for i, zk in enumerate(zks)
    ]
    assert sorted(bool(each.result(WITHIN_S)) for each in asked) == [False, True, True]
    caught_up(zks[0])
    holders = {zks[0].get(f"{case.path}/two/{i}/lease_holder")[0] for i in range(2)}
    assert len(holders) == 2, holders

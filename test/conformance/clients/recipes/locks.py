"""Lock, ReadLock and WriteLock, Semaphore, Election."""

from kazoo.exceptions import CancelledError, LockTimeout

from case import WITHIN_S, Inside, caught_up, eventually, refuses


def locks(case):
    """In the order of arrival; tried, waited for in vain, given up, and left by one that went."""
    first, second, third = case.clients(3)
    held = first.Lock(case.path, "first")
    assert held.acquire()
    tried = second.Lock(case.path, "tried")
    assert not tried.acquire(blocking=False)
    refuses(LockTimeout, tried.acquire, timeout=0.05)
    assert second.Lock(case.path).contenders() == ["first"]
    order = []

    def waits(zk, name):
        with zk.Lock(case.path, name):
            order.append(name)

    def contenders_are(*names):
        eventually(f"{names} contend", lambda: held.contenders() == list(names))

    waiting = [case.begin(waits, second, "second")]
    contenders_are("first", "second")
    given_up = third.Lock(case.path, "given up")
    waiting_in_vain = case.begin(given_up.acquire)
    contenders_are("first", "second", "given up")
    waiting.append(case.begin(waits, third, "third"))
    contenders_are("first", "second", "given up", "third")
    given_up.cancel()
    refuses(CancelledError, waiting_in_vain.result, WITHIN_S)
    contenders_are("first", "second", "third")
    order.append("first goes")
    first.stop()
    for each in waiting:
        each.result(WITHIN_S)
    assert order == ["first goes", "second", "third"], order


def read_write_locks(case):
    """Readers share, a writer is alone, and a reader that came behind a writer stays behind it."""
    first, second, third = case.clients(3)
    one, other = first.ReadLock(case.path, "one"), second.ReadLock(case.path, "other")
    assert one.acquire() and other.acquire()
    order = []

    def waits(lock, name):
        with lock:
            order.append(name)
            lock.client.exists(case.path)
            order.append(f"{name} goes")

    writer = case.begin(waits, third.WriteLock(case.path, "writer"), "writer")
    eventually("the writer waits", lambda: len(first.get_children(case.path)) == 3)
    reader = case.begin(waits, second.ReadLock(case.path, "late"), "late")
    eventually("the late reader waits", lambda: len(first.get_children(case.path)) == 4)
    assert not first.ReadLock(case.path).acquire(blocking=False)
    order.append("one goes")
    one.release()
    assert not first.WriteLock(case.path).acquire(blocking=False)
    order.append("other goes")
    other.release()
    writer.result(WITHIN_S)
    reader.result(WITHIN_S)
    assert order == ["one goes", "other goes", "writer", "writer goes", "late", "late goes"], order
    _hammer(case, [first, second, third])


def _hammer(case, zks):
    """What a writer changes in two steps, no reader and no other writer sees half done."""
    both = [0, 0]

    def writes(zk):
        for _ in range(4):
            with zk.WriteLock(case.path):
                both[0] += 1
                zk.exists(case.path)
                both[1] += 1
                assert both[0] == both[1], both

    def reads(zk):
        for _ in range(4):
            with zk.ReadLock(case.path):
                before = list(both)
                zk.exists(case.path)
                assert before == both and both[0] == both[1], (before, both)

    case.at_once(lambda does, zk: does(zk), 3 * [reads] + 3 * [writes], 2 * zks)
    assert both == [12, 12], both


def semaphores(case):
    """Two leases for four clients, of which both are used; what a client held that went is free."""
    zks = case.clients(4)
    inside = Inside(2)

    def uses(zk):
        semaphore = zk.Semaphore(case.path, max_leases=2)
        for _ in range(3):
            with semaphore, inside:
                zk.exists(case.path)

    case.at_once(uses, zks)
    semaphore = [zk.Semaphore(case.path, f"client {i}", max_leases=2) for i, zk in enumerate(zks)]
    assert semaphore[0].acquire() and semaphore[1].acquire()
    assert not semaphore[2].acquire(blocking=False)
    refuses(LockTimeout, semaphore[2].acquire, timeout=0.05)
    assert sorted(semaphore[2].lease_holders()) == ["client 0", "client 1"]
    refuses(ValueError, zks[3].Semaphore(case.path, max_leases=3).acquire)
    third = case.begin(semaphore[2].acquire)
    zks[0].stop()
    assert third.result(WITHIN_S)
    caught_up(zks[3])
    assert sorted(semaphore[3].lease_holders()) == ["client 1", "client 2"]


def elections(case):
    """Each leads in its turn, and alone; one that gave up never does."""
    zks = case.clients(3)
    order, inside = [], Inside(1)
    elected = [zk.Election(case.path, str(i)) for i, zk in enumerate(zks)]
    gives_up = zks[0].Election(case.path, "gives up")

    def leads(name):
        with inside:
            if name == "0":
                everybody = ["0", "gives up", "1", "2"]
                eventually("all have come", lambda: elected[0].contenders() == everybody)
                gives_up.cancel()
                eventually("it gave up", lambda: elected[0].contenders() == ["0", "1", "2"])
            order.append(name)

    running = []
    for election, name in ((elected[0], "0"), (gives_up, "gives up"), *zip(elected[1:], "12")):
        running.append(case.begin(election.run, leads, name))
        eventually(f"{name} has come", lambda: name in election.contenders())
    for each in running:
        each.result(WITHIN_S)
    assert order == ["0", "1", "2"], order

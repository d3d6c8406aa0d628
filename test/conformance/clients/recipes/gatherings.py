"""Party and ShallowParty, Barrier and DoubleBarrier, SetPartitioner."""

import threading

from case import WITHIN_S, caught_up, eventually


def parties(case):
    """Who is in is known to all; who leaves or dies is not in any more."""
    zks = case.clients(3)
    for kind in ("Party", "ShallowParty"):
        path = f"{case.path}/{kind}"
        members = [getattr(zk, kind)(path, f"member{i}") for i, zk in enumerate(zks)]
        guest = case.client()
        going = getattr(guest, kind)(path, "guest")
        case.at_once(lambda member: member.join(), [*members, going])

        def all_see(*names):
            for member in members:
                eventually(
                    f"{names} are in",
                    lambda: sorted(member) == list(names) and len(member) == len(names),
                )

        all_see("guest", "member0", "member1", "member2")
        assert members[1].leave()
        assert not members[1].leave()
        all_see("guest", "member0", "member2")
        guest.stop()
        all_see("member0", "member2")
        members[1].join()
        all_see("member0", "member1", "member2")


def barriers(case):
    """Nobody passes before it is taken away."""
    zks = case.clients(3)
    order = []
    here = threading.Barrier(4)
    barriers_ = [zk.Barrier(case.path) for zk in zks]
    barriers_[0].create()

    def passes(barrier):
        caught_up(barrier.client)
        assert not barrier.wait(0)
        here.wait(WITHIN_S)
        assert barrier.wait(WITHIN_S)
        order.append("passed")

    waiting = [case.begin(passes, barrier) for barrier in barriers_]
    here.wait(WITHIN_S)
    order.append("taken away")
    assert barriers_[1].remove()
    for each in waiting:
        each.result(WITHIN_S)
    assert order == ["taken away"] + 3 * ["passed"], order
    assert not barriers_[1].remove()
    assert barriers_[1].wait(0)


def double_barriers(case):
    """Nobody is in before all have come, and nobody out before all leave: twice."""
    zks = case.clients(3)
    for turn in range(2):
        path, order = f"{case.path}/{turn}", []
        lasts_leave = threading.Event()

        def works(zk, path=path, order=order, lasts_leave=lasts_leave):
            barrier = zk.DoubleBarrier(path, len(zks))
            barrier.enter()
            assert barrier.participating
            order.append("in")
            if zk is zks[-1]:
                assert lasts_leave.wait(WITHIN_S)
                order.append("the last leaves")
            barrier.leave()
            order.append("out")

        def there():
            return len([name for name in zks[0].get_children(path) if name != "ready"])

        zks[0].ensure_path(path)
        working = [case.begin(works, zk) for zk in zks[:-1]]
        eventually("two have come", lambda: there() == 2)
        order.append("the last comes")
        working.append(case.begin(works, zks[-1]))
        eventually("all are in", lambda: len(order) == 4)
        # The first two leave: only the one whose znode is the least may still have it.
        eventually("two leave", lambda: there() <= 2)
        lasts_leave.set()
        for each in working:
            each.result(WITHIN_S)
        wanted = ["the last comes"] + 3 * ["in"] + ["the last leaves"] + 3 * ["out"]
        assert order == wanted, order
        caught_up(zks[0])
        assert zks[0].get_children(path) == []


class Worker:
    """Does as kazoo's documentation has users of a SetPartitioner do, until it is told to go."""

    SETTLED_S = 0.1

    def __init__(self, case, zk, name, things):
        self.changed = zk.handler.event_object()
        self._going = threading.Event()
        self.mine = zk.SetPartitioner(
            case.path,
            things,
            identifier=name,
            time_boundary=self.SETTLED_S,
            max_reaction_time=self.SETTLED_S,
            state_change_event=self.changed,
        )
        self.work = case.begin(self._run)

    def _run(self):
        while not self._going.is_set():
            self.changed.clear()
            assert not self.mine.failed
            if self.mine.release:
                self.mine.release_set()
            elif self.mine.allocating:
                self.mine.wait_for_acquire(WITHIN_S)
            elif not self._going.is_set():
                self.changed.wait(WITHIN_S)
        self.mine.finish()

    def go(self):
        self._going.set()
        self.changed.set()
        self.work.result(WITHIN_S)

    def has(self):
        return sorted(self.mine) if self.mine.acquired else None


def partitions(case):
    """Each thing belongs to one, and again when one goes and when one comes."""
    things = ["a", "b", "c", "d", "e", "f"]
    zks = case.clients(3)
    workers = [Worker(case, zk, f"worker{i}", things) for i, zk in enumerate(zks)]

    def divided():
        eventually(
            f"{len(workers)} workers have their parts",
            lambda: sorted(filter(None, (worker.has() for worker in workers)))
            == [things[i :: len(workers)] for i in range(len(workers))],
        )

    divided()
    workers.pop(1).go()
    divided()
    workers.append(Worker(case, zks[1], "worker9", things))
    divided()
    for worker in workers:
        worker.go()

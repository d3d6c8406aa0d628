"""Locks, semaphores, an election and watches, in use while the leader of the servers is killed."""

import threading

from kazoo.protocol.states import KazooState
from kazoo.recipe.cache import TreeCache

from case import WITHIN_S, Inside, caught_up, eventually

STEPS = 3


class Work:
    """Takes step after step in a thread of its own, until it is ended; `done` counts them."""

    def __init__(self, case, step):
        self.done = 0
        self._step = step
        self._ending = threading.Event()
        self._running = case.begin(self._run)

    def _run(self):
        while not self._ending.is_set():
            self._step()
            self.done += 1

    def has_done(self, steps):
        """Fails as it has, when it has."""
        if self._running.done():
            self._running.result()
        return self.done >= steps

    def end(self):
        self._ending.set()
        self._running.result(WITHIN_S)


def survive_a_kill(case):
    """The first client's server leads the servers: it is killed, and started again."""
    zks = case.clients(3, int(case.arguments[0]))
    lost = []
    for zk in zks:
        zk.add_listener(lambda state: lost.append(state) if state == KazooState.LOST else None)
    counted = [0]
    works = _counting(case, zks, counted)
    leased = _Leased(case, zks)
    led = _Leading(case, zks)
    written = _Watched(case, zks)
    works.append(written.work)

    def all_go_on():
        wanted = [(work, work.done + STEPS) for work in works]
        for i, (work, steps) in enumerate(wanted):
            eventually(f"work {i} goes on", lambda: work.has_done(steps))
        leased.is_had_by("0", "1")
        led.is_led_by("0")

    all_go_on()
    case.ask("kill")
    all_go_on()
    case.ask("restart")
    all_go_on()
    for work in works:
        work.end()
    assert counted[0] == sum(work.done for work in works[: len(zks)]), counted
    leased.goes_to_the_third()
    led.goes_from_one_to_the_next()
    written.was_seen_by_all()
    assert lost == [], "a session was lost"


def _counting(case, zks, counted):
    """A counter that a second holder of its lock would spoil."""
    alone = Inside(1)

    def step(lock):
        with lock, alone:
            value = counted[0]
            # A round trip, as long as it takes to have one.
            lock.client.retry(lock.client.exists, case.path)
            counted[0] = value + 1

    locks = [zk.Lock(f"{case.path}/lock") for zk in zks]
    return [Work(case, lambda lock=lock: step(lock)) for lock in locks]


class _Leased:
    """Two of three have a lease; the third waits until one is given back."""

    def __init__(self, case, zks):
        path = f"{case.path}/semaphore"
        self._of = [zk.Semaphore(path, str(i), max_leases=2) for i, zk in enumerate(zks)]
        assert self._of[0].acquire() and self._of[1].acquire()
        self._third = case.begin(self._of[2].acquire)
        eventually("the third waits", lambda: zks[2].exists(f"{path}-__lock__"))

    def is_had_by(self, *names):
        semaphore = self._of[1]
        holders = semaphore.client.retry(semaphore.lease_holders)
        assert sorted(holders) == list(names), holders

    def goes_to_the_third(self):
        assert not self._third.done()
        self._of[0].release()
        assert self._third.result(WITHIN_S)
        caught_up(self._of[1].client)
        self.is_had_by("1", "2")


class _Leading:
    """Three candidates; each leads until it is told to resign."""

    def __init__(self, case, zks):
        self._order = []
        self._resign = [threading.Event() for _ in zks]
        self._elected = [zk.Election(f"{case.path}/election", str(i)) for i, zk in enumerate(zks)]
        self._running = []
        for i, election in enumerate(self._elected):
            self._running.append(case.begin(election.run, self._leads, i))
            eventually("it has come", lambda: str(i) in election.contenders())

    def _leads(self, i):
        self._order.append(str(i))
        assert self._resign[i].wait(WITHIN_S)

    def is_led_by(self, name):
        last = self._elected[-1]
        contenders = last.lock.client.retry(last.contenders)
        assert contenders == ["0", "1", "2"], contenders
        eventually("somebody leads", lambda: self._order)
        assert self._order == [name], self._order

    def goes_from_one_to_the_next(self):
        for i, running in enumerate(self._running):
            eventually(f"{i} leads", lambda: self._order[-1] == str(i))
            self._order.append("resigns")
            self._resign[i].set()
            running.result(WITHIN_S)
        assert self._order == ["0", "resigns", "1", "resigns", "2", "resigns"], self._order


class _Watched:
    """A number that grows; whoever watches it never sees it shrink, and sees the last."""

    def __init__(self, case, zks):
        self._path = f"{case.path}/watched/number"
        zks[1].create(self._path, b"0", makepath=True)
        self._seen = [[] for _ in zks]
        for zk, seen in zip(zks, self._seen):
            zk.DataWatch(self._path, lambda data, _, __, seen=seen: seen.append(data and int(data)))
        self._cache = TreeCache(zks[0], f"{case.path}/watched")
        self._cache.start()
        self._number = 0
        self._writer = zks[1]
        self.work = Work(case, self._grows)

    def _grows(self):
        before = [len(seen) for seen in self._seen]
        self._number += 1
        self._writer.retry(self._writer.set, self._path, b"%d" % self._number)
        eventually(
            "all watchers are told",
            lambda: all(len(seen) > count for seen, count in zip(self._seen, before)),
        )

    def was_seen_by_all(self):
        last = self._number
        for seen in self._seen:
            eventually("the last number is seen", lambda: seen[-1] == last)
            numbers = [number for number in seen if number is not None]
            assert numbers == sorted(numbers), seen
        eventually(
            "the cache has the last number",
            lambda: self._cache.get_data(self._path).data == b"%d" % last,
        )
        self._cache.close()

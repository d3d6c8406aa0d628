"""One case on its way: its clients, a path of its own, and the one who asked for it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

WITHIN_S = 60
SESSION_S = 20.0
# kazoo waits 0.1 s and longer before it tries again: a contended counter would do little else.
AGAIN = {"max_tries": -1, "delay": 0.01, "backoff": 1.5, "max_delay": 0.2}
THREADS_MAX = 32


def eventually(what, condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {WITHIN_S} s"
        time.sleep(0.01)


def refuses(error, call, *args, **options):
    try:
        call(*args, **options)
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")


def caught_up(zk):
    """Returns when the client's server has applied all that anybody was told before: a write has its turn behind it.

    A sync has not: Apache ZooKeeper's leader answers one of its own clients before what it has yet to apply.
    """
    refuses(NoNodeError, zk.delete, "/no-such-znode")


class Inside:
    """Those who are inside at the same time: never more than `allowed`, and once that many."""

    def __init__(self, allowed):
        self._allowed = allowed
        self._full = threading.Event()
        self._lock = threading.Lock()
        self._now = 0

    def __enter__(self):
        with self._lock:
            self._now += 1
            assert self._now <= self._allowed, f"{self._now} are inside"
            if self._now == self._allowed:
                self._full.set()
        assert self._full.wait(WITHIN_S), f"never {self._allowed} inside"

    def __exit__(self, *_):
        with self._lock:
            self._now -= 1


class Case:
    def __init__(self, hosts, path, arguments, ask):
        self.path = path
        self.arguments = arguments
        self.ask = ask
        self._hosts = hosts
        self._clients = []
        self._threads = ThreadPoolExecutor(THREADS_MAX)

    def client(self, first=0):
        """A client that tries the servers in their order, from this one on."""
        hosts = self._hosts[first:] + self._hosts[:first]
        zk = KazooClient(
            hosts=",".join(hosts),
            timeout=SESSION_S,
            randomize_hosts=False,
            command_retry=dict(AGAIN),
            connection_retry=dict(AGAIN),
        )
        self._clients.append(zk)
        zk.start(timeout=30)
        return zk

    def clients(self, count, first=0):
        """As many, each at a server of its own as far as they go."""
        return [self.client((first + i) % len(self._hosts)) for i in range(count)]

    def begin(self, call, *args, **options):
        """Calls it in a thread of its own; `result` of what is returned waits for its end."""
        return self._threads.submit(call, *args, **options)

    def at_once(self, call, *arguments):
        """Calls it with the first of each list, the second and so on, at once, to their ends."""
        for begun in [self.begin(call, *those) for those in zip(*arguments)]:
            begun.result(WITHIN_S)

    def close(self):
        self._threads.shutdown(wait=False, cancel_futures=True)
        for zk in self._clients:
            zk.stop()
            zk.close()

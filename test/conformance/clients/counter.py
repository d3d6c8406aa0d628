"""Adds 1 to the number in a file, COUNT times under a lock: counter.py HOSTS LOCK FILE COUNT.

The file is outside the servers and is read, then written: two processes that held the lock at the
same time would lose an increment.
"""

import logging
import sys

from kazoo.client import KazooClient
from kazoo.recipe.lock import Lock

logging.basicConfig(level=logging.WARNING)
hosts, lock_path, file, count = sys.argv[1:]

zk = KazooClient(hosts=hosts, timeout=30.0)
zk.start(timeout=30)
lock = Lock(zk, lock_path)
for _ in range(int(count)):
    with lock:
        with open(file) as counter:
            value = int(counter.read())
        with open(file, "w") as counter:
            counter.write(str(value + 1))
zk.stop()
zk.close()

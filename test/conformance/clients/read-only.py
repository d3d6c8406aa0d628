"""kazoo with read_only=True: read-only.py HOSTS PATH. Reads while cut off, writes when the quorum is back."""

import logging
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, NotReadOnlyCallError, SessionExpiredError
from kazoo.protocol.states import KeeperState

logging.basicConfig(level=logging.ERROR)
hosts, path = sys.argv[1:]

zk = KazooClient(hosts=hosts, timeout=10.0, read_only=True)
zk.start(timeout=60)
assert zk.client_state == KeeperState.CONNECTED_RO, zk.client_state
assert zk.get(path)[0] == b"kept"
try:
    zk.set(path, b"changed")
    raise AssertionError("a read-only client has written")
except NotReadOnlyCallError:
    pass
print("read", flush=True)

deadline = time.monotonic() + 100
while True:
    try:
        if zk.client_state == KeeperState.CONNECTED:
            zk.set(path, b"changed")
            break
    except (ConnectionLoss, SessionExpiredError, NotReadOnlyCallError):
        pass
    assert time.monotonic() < deadline, zk.client_state
    time.sleep(0.1)
zk.stop()

"""Prints the members of a cluster that are ready, again whenever that changes.

members.py HOST:PORT[,HOST:PORT...] CLUSTER
"""

import json
import sys
import threading

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import NoNodeError

SERVICES = "/members/v1/services"


def documents(zk, path, changed):
    """The documents of all members now; `changed` is called once when that is no longer so."""
    try:
        names = zk.get_children(path, watch=changed)
    except NoNodeError:
        # Nobody has ever been a member. It may have come since: then there is no watch to wait for.
        if zk.exists(path, watch=changed):
            changed()
        return
    for name in sorted(names):
        try:
            data, _ = zk.get(f"{path}/{name}", watch=changed)
        except NoNodeError:
            continue  # It has left since; the list's watch knows.
        yield json.loads(data)


def line(member):
    port = member["port"] or member["sslPort"]
    return f"{member['id']} {member['payload']['role']} {member['address']}:{port}"


def main(hosts, cluster):
    changed = threading.Event()
    zk = KazooClient(hosts=hosts)
    # Watches do not outlive a session, so that each connection is a reason to look.
    zk.add_listener(lambda state: changed.set() if state == KazooState.CONNECTED else None)
    zk.start()
    while True:
        changed.clear()
        members = documents(zk, f"{SERVICES}/{cluster}", lambda *_: changed.set())
        print(", ".join(line(member) for member in members if member["enabled"]), flush=True)
        changed.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

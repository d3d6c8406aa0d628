"""kazoo's recipes against the servers HOSTS: recipes.py HOSTS.

A line of standard input, CASE PATH ARGUMENT..., asks for a case, which `= passed` or `= failed WHY`
ends.
"""

import logging
import os
import sys
import traceback

import gatherings
import locks
import stores
import survivals
import watches
from case import Case

CASES = {
    case.__name__: case
    for case in (
        locks.locks,
        locks.read_write_locks,
        locks.semaphores,
        locks.elections,
        gatherings.parties,
        gatherings.barriers,
        gatherings.double_barriers,
        gatherings.partitions,
        stores.queues,
        stores.locking_queues,
        stores.counters,
        stores.leases,
        watches.data_watches,
        watches.children_watches,
        watches.tree_caches,
        survivals.survive_a_kill,
    )
}


def ask(what):
    """Tells something to the one who asked for the case, and waits until that was done."""
    print(">", what, flush=True)
    assert sys.stdin.readline(), f"nobody answers to {what}"


logging.basicConfig(level=logging.ERROR)
hosts = sys.argv[1].split(",")
for line in iter(sys.stdin.readline, ""):
    name, path, *arguments = line.split()
    case = Case(hosts, path, arguments, ask)
    try:
        CASES[name](case)
        print("= passed", flush=True)
    except Exception:
        print("= failed", " ".join(traceback.format_exc().split()), flush=True)
    finally:
        case.close()
# A case that failed may have left threads that wait.
os._exit(0)

"""kazoo with sasl: sasl_users.py HOSTS ROOT USER PASSWORD WRONG_PASSWORD. Exit code 0 when it held."""

import logging
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import AuthFailedError, NoAuthError
from kazoo.protocol.states import KeeperState
from kazoo.security import make_acl

logging.basicConfig(level=logging.CRITICAL)
hosts, root, user, password, wrong = sys.argv[1:]


def client(secret):
    options = {"mechanism": "DIGEST-MD5", "username": user, "password": secret}
    return KazooClient(hosts=hosts, timeout=20.0, sasl_options=options)


own = client(password)
own.start(timeout=30)
own.create(root, b"mine", acl=[make_acl("sasl", credential=user, all=True)])
assert own.get(root)[0] == b"mine"

stranger = KazooClient(hosts=hosts, timeout=20.0)
stranger.start(timeout=30)
stranger.sync(root)
try:
    stranger.get(root)
    raise AssertionError("the znode was read without its user")
except NoAuthError:
    pass

guessing = client(wrong)
states = []
guessing.add_listener(lambda _: states.append(guessing.client_state))
try:
    # kazoo counts as connected before it authenticates: it may be the request that is refused, or `start` that finds
    # no connection any more, and says that its time was up.
    guessing.start(timeout=30)
    guessing.get(root)
    raise AssertionError("a wrong password was taken")
except AuthFailedError:
    pass
except guessing.handler.timeout_exception:
    assert KeeperState.AUTH_FAILED in states, states

for each in (own, stranger, guessing):
    each.stop()
    each.close()

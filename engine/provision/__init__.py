"""Makes topics, principals, tables, roles, indexes and collections what they should be, as often as it is called.

Only what differs is changed, and each change is said:

    >>> provision(settings, print)
    topic user_profiles: retention.ms 1000 -> 604800000
    1
    >>> provision(settings, print)
    0
"""

from collections.abc import Callable

from engine.provision.cassandra import provision_cassandra
from engine.provision.changes import Changes
from engine.provision.kafka import provision_kafka
from engine.provision.mongo import provision_mongo
from engine.settings import Settings

__all__ = ["provision"]

STORES = {"kafka": provision_kafka, "cassandra": provision_cassandra, "mongo": provision_mongo}


def provision(settings: Settings, say: Callable[[str], None], *stores: str, take_over: bool = False) -> int:
    """Provisions these stores (none named: all), signed in as `provision`; returns the number of things changed.

    take_over: whether users of our names that a system elsewhere has already get our passwords. In our own servers they do.
    say: called with one line for each change, and for each difference that is left alone on purpose.
    Raises StoreAway when a store does not answer, SignInRefused when it refuses `provision`, or has users of our
    names that do not know our passwords.
    """
    changes = Changes(say, () if take_over else settings.elsewhere)
    for store in stores or STORES:
        STORES[store](settings, changes)
    return changes.count

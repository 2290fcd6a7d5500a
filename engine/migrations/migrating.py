"""Takes the steps that are ahead, where nothing else writes: under the stream's lease and past its fence.

Each store says its new version only after the step, so one that is killed is found as it was, and nothing of ours starts
meanwhile (`versions.require_current`); given again, the step goes on with what it has left.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from engine.clients import mongo_client
from engine.migrations import versions
from engine.migrations.documents import Stores
from engine.migrations.versions import Ahead
from engine.settings import Settings
from engine.writer import fence
from engine.writer import lease as leases

Say = Callable[[str], None]

PRINCIPAL = "provision"


def look(settings: Settings) -> list[Ahead]:
    """The steps that are ahead; changes nothing. Raises OtherVersion for stores that are newer, StoreAway, SignInRefused."""
    with mongo_client(settings, PRINCIPAL) as client:
        stores = Stores(settings, client[settings.mongo.database])
        said = versions.kept(stores, PRINCIPAL)
        versions.require_known(said)
        return list(versions.ahead(stores, said))


def run(settings: Settings, say: Say) -> int:
    """Takes them; returns how many there were. Raises LeaseHeld while a stream runs, and what `look` does."""
    if not look(settings):
        return 0
    with mongo_client(settings, PRINCIPAL) as client, _alone(
            Stores(settings, client[settings.mongo.database]), say) as stores:
        taken = 0
        for one in versions.ahead(stores, versions.kept(stores, PRINCIPAL)):
            say(f"{one}. {one.step.what[:1].upper()}{one.step.what[1:]}")
            one.step.take(stores)
            versions.keep(stores, one.store, one.version)
            taken += 1
        return taken


@contextmanager
def _alone(stores: Stores, say: Say) -> Iterator[Stores]:
    """The stores under the lease, when nothing that a stream before has sent can still land."""
    settings = stores.settings
    lease = leases.take(stores.database, settings.stream.lease_s, threading.Event(), say)
    clean = lease.clean
    try:
        fence.raised(settings, lease.number)
        if not clean:
            wait = settings.longest_client_timeout_s + fence.CACHED_S
            say(f"how the stream before ended is not known: waiting {wait:.0f} s until nothing of it can still land")
            time.sleep(wait)
            clean = True
        lease.check()
        yield replace(stores, lease=lease.number)
    finally:
        lease.release(clean)

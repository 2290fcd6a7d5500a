"""What the view needs and no more, for its tests and its bench: a MongoDB alone, and snapshots as releases make them."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from engine import secrets
from engine.clients import mongo_client
from engine.errors import StoreAway
from engine.native import fetch, mongo
from engine.provision.changes import Changes
from engine.provision.mongo import provision_mongo
from engine.settings import Settings
from engine.stores.schema import SNAPSHOTS
from governance.disclosure import publish
from governance.disclosure.figures import Figures
from governance.disclosure.ledger import Release
from governance.disclosure.snapshot import Snapshot

READY_WITHIN_S = 60
AT_ONCE = 500
"""Documents that are inserted in one request, which has a time-out."""
NATIONALITIES = ("FR", "US", "GB", "DE", "ES", "BR", "CA", "AU", "IN", "MX", "TR", "UA", "NL", "CH", "NO", "FI", "DK", "IE",
                 "RS", "NZ", "IR")
DOMAINS = ("mail.example", "post.example", "inbox.example", "letters.example", "web.example", "free.example", "home.example",
           "old.example", "work.example", "school.example", "club.example", "town.example")
BANDS = tuple(f"{age}-{age + 9}" for age in range(20, 80, 10))
HOUR = timedelta(hours=1)


@contextmanager
def mongo_alone(settings: Settings) -> Iterator[None]:
    """A provisioned MongoDB of this installation and nothing else; it ends with the block."""
    fetch.fetch(settings, lambda said: None)
    secrets.ensure_passwords(settings)
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    mongo.configure(settings, lambda said: None)
    with (settings.logs_dir / "mongo.log").open("ab") as log:
        server = subprocess.Popen(mongo.command(settings), stdout=log, stderr=log)
        try:
            limit = time.monotonic() + READY_WITHIN_S
            while True:
                try:
                    mongo.probe(settings)
                    break
                except StoreAway:
                    assert server.poll() is None, "MongoDB ended"
                    assert time.monotonic() < limit, "MongoDB is not ready in time"
                    time.sleep(0.1)
            provision_mongo(settings, Changes(lambda said: None))
            yield
        finally:
            server.terminate()
            server.wait(20)


def figures(people: int, at: datetime) -> Figures:
    """Aggregates of so many people, made up, skewed as real ones are: each category has three quarters of the one before.

    at: the newest of 24 hours in which they came."""
    nationalities = _spread(people, NATIONALITIES)
    genders = _spread(people, [f"{gender} {band}" for band in BANDS for gender in ("female", "male")])
    hours = [f"{at - back * HOUR:%Y-%m-%dT%H}" for back in range(24)]
    ages = {nat: count * (38.0 + place) for place, (nat, count) in enumerate(nationalities.items())}
    return Figures(nationalities, genders, _spread(people, DOMAINS), _spread(people, hours), ages, synthetic=True)


def _spread(people: int, names: Sequence[str]) -> dict[str, int]:
    """So many people over these categories, the first the largest."""
    weights = [0.75 ** place for place in range(len(names))]
    counts = [int(people * weight / sum(weights)) for weight in weights]
    counts[0] += people - sum(counts)
    return dict(zip(names, counts, strict=True))


def released(live: Figures, earlier: Sequence[Release] = (), now: datetime | None = None) -> Release:
    """The next release of these aggregates, an hour before the next; an AssertionError where nothing may be published."""
    at = now or datetime.now(UTC)
    made = publish(live, earlier, at, at + HOUR)
    assert isinstance(made, Release), made
    return made


def document(snapshot: Snapshot, why_withdrawn: str = "") -> dict[str, Any]:
    """A snapshot as it stands in the collection `snapshots`."""
    withdrawn = {"at": datetime.now(UTC), "why": why_withdrawn} if why_withdrawn else None
    return {"_id": snapshot.number, "body": snapshot.model_dump_json(), "withdrawn": withdrawn}


def hourly(snapshot: Snapshot, number: int) -> list[dict[str, Any]]:
    """The last `number` hourly snapshots as they stand, this the newest: as many documents of its size, under its number less
    one for each hour before."""
    return [document(snapshot.model_copy(update={
        "number": snapshot.number - back, "at": snapshot.at - back * HOUR, "next_at": snapshot.next_at - back * HOUR}))
        for back in range(number)]


def put(settings: Settings, database: str, *documents: dict[str, Any]) -> None:
    """These snapshots and no others."""
    with mongo_client(settings, "stream") as client:
        collection = client[database][SNAPSHOTS]
        collection.delete_many({})
        if documents:
            for begin in range(0, len(documents), AT_ONCE):
                collection.insert_many(documents[begin:begin + AT_ONCE])

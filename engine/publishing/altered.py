"""Is each snapshot still what was published? Its body in MongoDB beside the copy in its record in Cassandra, which is sealed.

On the embedded FerretDB every password may write `snapshots`, the view's too. What is withdrawn is not compared: nobody is
shown it, and that is how an altered one is taken out of view.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.publishing.snapshots import Body, digest
from engine.stores.records import Record

CHANGED = "its figures are not those that were published"
NO_LEDGER = "its ledger is not in Cassandra"
LONGEST = 40
"""Characters of an `_id` that are told."""


@dataclass(frozen=True)
class Altered:
    """A snapshot that another hand wrote. number: its `_id` as it stands, which need be no number."""

    number: str
    what: str


def altered(there: Iterable[Body], records: Iterable[Record]) -> list[Altered]:
    """What stands in MongoDB and was not published so. there: read before `records`, for a snapshot has its record first;
    records: the versions of what was published."""
    published = {record.n: digest(_snapshot(record)) for record in records}
    found: list[Altered] = []
    for body in there:
        own = published.get(body.number) if isinstance(body.number, int) else None
        if own is None:
            found.append(Altered(ascii(body.number)[:LONGEST], NO_LEDGER))
        elif body.shown and body.digest != own:
            found.append(Altered(str(body.number), CHANGED))
    return found


def _snapshot(record: Record) -> str:
    """The text of the snapshot within a record's: `{"snapshot":…,"ledger":…}`. No string of JSON holds a bare quote, so the
    first `,"ledger":` ends it. Not parsed: that would take twenty times as long."""
    return record.body.removeprefix('{"snapshot":').partition(',"ledger":')[0]

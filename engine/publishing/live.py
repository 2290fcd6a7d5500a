"""The aggregates as they go into a release: all of one turn, exact, of one day.

The stream writes the documents of a turn one by one, so a reading in the middle could mix two turns. Each document carries the
turn that wrote it: a reading is taken again until nothing in it is of a turn that was not closed before it began.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from pymongo.database import Database

from engine.birth_months import age, band, by_band, merged
from engine.clients import mapped
from engine.errors import Final, Retryable
from engine.stores.aggregates import documents
from engine.stores.schema import ARRIVALS, BY_EMAIL_DOMAIN, BY_NATIONALITY
from engine.stores.status import Status
from engine.writer.write_order import EPOCH, WriterState
from governance.disclosure.figures import Figures

WITHIN_S, PAUSE_S = 30.0, 0.2

Document = Mapping[str, Any]


class Unsettled(Retryable):
    """The aggregates were written all the time while they were read."""


class Misshapen(Final):
    """A document of the aggregates is not of the shape that docs/flow.md gives."""

    exit_code = 65


def read(database: Database[Any], today: date, within_s: float = WITHIN_S,
         pause: Callable[[float], None] = time.sleep) -> Figures:
    """Reads until all is of one turn. today: of which ages are. Raises Unsettled, Misshapen, StoreAway, SignInRefused."""
    status, until = Status(database), time.monotonic() + within_s
    while True:
        before = status.writer()
        with mapped("reading aggregates"):
            found = [documents(database, name) for name in (BY_NATIONALITY, BY_EMAIL_DOMAIN, ARRIVALS)]
        if settled(found, before, status.writer()):
            return figures(found[0], found[1], found[2], today, bool((status.read("figures") or {}).get("synthetic")))
        if time.monotonic() > until:
            raise Unsettled("The stream was writing the aggregates all the time while they were to be read, or waits in the "
                            "middle of that. `rollcall status` shows which; then try again.")
        pause(PAUSE_S)


def settled(found: Iterable[Iterable[Document]], before: WriterState, after: WriterState) -> bool:
    """Whether documents that were read between two looks at the writer are all of one turn."""
    newest = max((_turn(document) for documents in found for document in documents), default=0)
    return newest <= _closed(before) and _counts_on(before, after)


def figures(nationalities: Iterable[Document], domains: Iterable[Document], arrivals: Iterable[Document],
            today: date, synthetic: bool) -> Figures:
    """The documents as counts. synthetic: people among them were made up. Raises Misshapen."""
    try:
        people = {str(kept["_id"]): kept for kept in nationalities}
        births = {nat: kept.get("births", {}) for nat, kept in people.items()}
        bands = by_band(births.values(), today)
        return Figures(
            nationalities={nat: int(kept["users"]) for nat, kept in people.items()},
            gender_ages={f"{gender} {band(begins)}": int(users) for (gender, begins), users in bands.items()},
            domains={str(kept["_id"]): int(kept["users"]) for kept in domains},
            arrivals={str(kept["_id"]): int(kept["users"]) for kept in arrivals},
            ages={nat: _years(merged(months.values()), today) for nat, months in births.items()}, synthetic=synthetic)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Misshapen(f"A document of the aggregates is not of the shape it should have ({type(error).__name__}). "
                        "`rollcall verify` names it, `rollcall recount` makes it anew.") from None


def _years(months: Mapping[str, int], today: date) -> float:
    """The ages of these people together. Who was born this month counts as born on its 15th, which may be still to come."""
    return sum(max(0.0, age(month, today)) * people for month, people in months.items())


def _closed(writer: WriterState) -> int:
    """The newest turn that may have been closed: documents of a later one are being written."""
    return writer.turn if writer.open is None else writer.open.number - 1


def _counts_on(before: WriterState, after: WriterState) -> bool:
    """Whether no recount set the documents meanwhile."""
    return not before.recount and not after.recount and before.epoch == after.epoch


def _turn(document: Document) -> int:
    """The turn that wrote a document; 0 for a recount, and for another hand, which leaves no stamp."""
    return int(document.get("stamp", 0)) % EPOCH

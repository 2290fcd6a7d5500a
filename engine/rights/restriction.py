"""Restriction and objection (Art. 18, 21): the person stays stored, and is left out of lists, exports and counts."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from engine.clients import cassandra_session
from engine.commands import canonical
from engine.rights import persons
from engine.rights.commanded import carried_out
from engine.sealing import load_keys
from engine.settings import Settings
from engine.stores.browse import Browse, Wanted
from governance.rights.evidence import Evidence

_FAMILY = ("restrict", "unrestrict", "erase")


def restrict(settings: Settings, uuid: str, request: str, within_s: float, say: Callable[[str], None]) -> Evidence:
    """Leaves the person out. Raises CommandRefused, NotServed, StoreAway, SignInRefused."""
    return _carried_out(settings, "restrict", uuid, request, within_s, say)


def unrestrict(settings: Settings, uuid: str, request: str, within_s: float, say: Callable[[str], None]) -> Evidence:
    """Lets the person in again. Raises as `restrict` does."""
    return _carried_out(settings, "unrestrict", uuid, request, within_s, say)


def _carried_out(settings: Settings, verb: str, uuid: str, request: str, within_s: float,
                 say: Callable[[str], None]) -> Evidence:
    offset = carried_out(settings, verb, uuid, request, within_s, say, _FAMILY)
    keys, person, out = load_keys(settings), canonical(uuid), verb == "restrict"
    token = keys.suppression_token(person)
    marker = persons.markers(settings, [token]).get(token)
    row = persons.rows(settings, [person], "uuid, counted, email_token").get(person)
    found = {"cassandra:markers.restricted": marker is not None and bool(marker["restricted"]) is out}
    if row is not None:    # else there is nothing to be left out; the marker takes care of a record that comes
        found["cassandra:profiles.counted"] = bool(row["counted"]) is not out
        found["lists and exports"] = (person in _listed(settings, row["email_token"])) is not out
    return Evidence(verb, request, datetime.now(UTC), offset, tuple(name for name, so in found.items() if so),
                    tuple(name for name, so in found.items() if not so))


def _listed(settings: Settings, email_token: str) -> set[str]:
    """Whom the console lists by this address, as its own principal sees it."""
    with cassandra_session(settings, "console") as session:
        page = Browse(session, settings.cassandra.keyspace, date.today()).page(Wanted(email_tokens=(email_token,)), None)
        return {str(row["uuid"]) for row in page.rows}

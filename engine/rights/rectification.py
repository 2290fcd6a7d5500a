"""Rectification (Art. 16): what is wrong is set right by pins, which later records of the source do not undo."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from engine.commands import canonical
from engine.errors import CommandRefused
from engine.rights import persons, topics
from engine.rights.commanded import carried_out
from engine.sealing import CannotOpen, KeyRing, load_keys
from engine.settings import Settings
from engine.writer import pins
from governance.rights.evidence import Evidence

_ITSELF = ("email", "phone", "gender", "nat")
"""Groups that are one column of the row, as they are pinned."""


class ErasedSince(CommandRefused):
    """The request commanded its correction, and the person was erased after that. offset: of its newest command."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"This person was erased since: of the correction (command {offset}) nothing is in force any more.")
        self.offset = offset


def rectify(settings: Settings, uuid: str, fields: Mapping[str, Any], request: str, within_s: float,
            say: Callable[[str], None]) -> Evidence:
    """Pins these fields (a partial person, engine/writer/pins.py) and says where they stand; counts follow in the same turn.

    Raises CommandRefused (before anything is sent; also where the person is erased), ErasedSince, NotServed, StoreAway,
    SignInRefused.
    """
    wanted = json.loads(pins.checked(fields))
    keys, person = load_keys(settings), canonical(uuid)
    token = keys.suppression_token(person)
    if (known := persons.markers(settings, [token]).get(token)) and known["erased"]:
        if sent := [one.offset for one in topics.of_commands(settings, keys, [token])
                    if (one.verb, one.request) == ("rectify", request)]:
            raise ErasedSince(sent[-1])
        raise CommandRefused("This person is erased, so there is nothing to correct. If they lawfully return, `rollcall lift` "
                             "comes first.")
    offset = carried_out(settings, "rectify", uuid, request, within_s, say, ("rectify", "erase"), fields)
    marker = persons.markers(settings, [token]).get(token)
    row = persons.rows(settings, [person]).get(person)
    found = dict(_looked(row, persons.pins_of(marker, keys), wanted, offset, keys, person))
    return Evidence("rectify", request, datetime.now(UTC), offset, tuple(name for name, so in found.items() if so),
                    tuple(name for name, so in found.items() if not so))


def _looked(row: Mapping[str, Any] | None, pinned: Mapping[str, Any], wanted: Mapping[str, Any], offset: int, keys: KeyRing,
            uuid: str) -> Iterator[tuple[str, bool]]:
    for group, value in wanted.items():
        yield f"cassandra:markers.pins {group}", pinned.get(group) == value
    if row is None:    # nothing is there to be corrected; the marker corrects a record that comes
        return
    yield "cassandra:profiles.rectified", row["rectified"] is not None and row["rectified"] >= offset
    for group, value in wanted.items():
        yield f"cassandra:profiles.pinned {group}", group in (row["pinned"] or ())
        if group in _ITSELF:
            yield f"cassandra:profiles.{group}", _clear(row[group], keys, uuid, group) == value


def _clear(value: Any, keys: KeyRing, uuid: str, column: str) -> Any:
    try:
        return keys.open_column(uuid, column, value) if isinstance(value, bytes) else value
    except CannotOpen:
        return None

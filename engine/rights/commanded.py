"""One command about one person, sent once: who asks again waits for the one that was sent."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from engine import commands
from engine.carried_out import wait_and_look
from engine.commands import canonical
from engine.rights import topics
from engine.sealing import load_keys
from engine.settings import Settings
from engine.writer import pins


def carried_out(settings: Settings, verb: str, uuid: str, request: str, within_s: float, say: Callable[[str], None],
                family: Collection[str], fields: Mapping[str, Any] | None = None) -> int:
    """Offset of the command, once the stream has carried it out. family: the verbs that undo one another.

    It is sent anew unless the newest command of the family about this person is just this one, of this request. Raises
    CommandRefused, NotServed (it is kept: call again), StoreAway, SignInRefused.
    """
    keys, person = load_keys(settings), canonical(uuid)
    token = keys.suppression_token(person)
    wanted = pins.checked(fields) if fields is not None else ""
    said = [one for one in topics.of_commands(settings, keys, [token]) if one.verb in family]
    last = said[-1] if said else None
    if last is not None and (last.verb, last.request, last.pins) == (verb, request, wanted):
        offset = last.offset
    else:
        offset = commands.send(settings, keys, verb, person, request, say, fields)
    wait_and_look(settings, {token: offset}, within_s)
    return offset

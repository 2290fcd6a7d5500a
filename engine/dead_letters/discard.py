"""Dead letters that nobody will mend: taken away, and written down who did so, when and why.

The record in MongoDB comes first, then the marks, then the letters go. Killed before the marks, nothing is discarded and its
record is never `done`; killed after them, the next discard or redrive takes the letters away.

A letter that is under way (`sent`) is left out: its record is in the topic, or may be, and its person may be a row by now.
The next redrive ends it; then it is handled, or waits and can be discarded.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from engine.clients import mapped, mongo_client
from engine.dead_letters.redrive import PRINCIPAL
from engine.machine.user import whoami
from engine.sealing import load_keys
from engine.settings import Settings
from engine.stores.aggregates import chunks
from engine.stores.dead_letters import DISCARDED, SENT, Box, DeadLetter, DeadLetters, Mark
from engine.stores.schema import DISCARDS

PLACES_IN_ONE = 1000
"""Letters that one document names: it stays far below the 16 MiB of a document."""


def discardable(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Those that are not under way."""
    return [letter for letter in letters if letter.state != SENT]


def discard(settings: Settings, letters: Sequence[DeadLetter], box: Box, because: str, by: str = "") -> int:
    """Discards those of these letters of a box that are not under way; returns how many.

    Within `alone` (alone.py). Raises StoreAway, SignInRefused: the same call goes on.
    """
    letters = discardable(letters)
    keys = load_keys(settings)
    dead = DeadLetters(settings, PRINCIPAL, keys)
    try:
        with mongo_client(settings, PRINCIPAL) as client, mapped("writing down what is discarded", PRINCIPAL):
            kept = client[settings.mongo.database][DISCARDS]
            _ended(kept, dead, box)
            for some in chunks(letters, PLACES_IN_ONE):
                number = str(uuid4())
                kept.insert_one({"_id": number, "at": datetime.now(UTC), "by": by or whoami(), "because": because,
                                 "letters": len(some), "reasons": _by_reason(some),
                                 "places": [letter.place for letter in some], "done": False})
                _take_away(dead, some)
                kept.update_one({"_id": number}, {"$set": {"done": True}})
    finally:
        dead.close()
    return len(letters)


def _ended(kept: Any, dead: DeadLetters, box: Box) -> None:
    """Ends what was killed after its marks were set."""
    for place in box.left_over:
        dead.remove(place)
    dead.flush()
    for record in kept.find({"done": False}):
        if all((mark := box.marks.get(place)) and mark.state == DISCARDED for place in record["places"]):
            kept.update_one({"_id": record["_id"]}, {"$set": {"done": True}})


def _take_away(dead: DeadLetters, letters: Sequence[DeadLetter]) -> None:
    for letter in letters:
        dead.mark(Mark(letter.place, DISCARDED, letter.attempts + 1, letter.first_append))
    dead.flush()
    for letter in letters:
        dead.remove(letter.place)
    dead.flush()


def _by_reason(letters: Sequence[DeadLetter]) -> list[dict[str, object]]:
    """As a list, for a reason is no name of a field."""
    return [{"reason": reason, "letters": n} for reason, n in Counter(letter.reason for letter in letters).most_common()]

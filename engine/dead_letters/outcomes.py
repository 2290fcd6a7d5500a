"""What may become of a letter that is redriven, in words: for the command and for the page."""

from collections import Counter
from collections.abc import Iterable, Iterator

from engine.dead_letters.redrive import BARRED, FAILED, READY, Outcome
from engine.stores.dead_letters import ACCEPTED, OVERTAKEN, REFUSED

SAYS = {
    READY: "would be sent to the stream, which judges them",
    ACCEPTED: "accepted: their people are rows",
    OVERTAKEN: "overtaken: a newer record of the same person is her row",
    FAILED: "sent and found bad again: they stay dead letters",
    REFUSED: "still no person: they stay dead letters",
    BARRED: "of people who are erased, or were after the record: they stay dead letters",
}


def told(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, int, str, str]]:
    """What became of letters (a key of SAYS), how many, their reason, and the new one; "" where it is the same or none.

    In the order of SAYS, of each the most first.
    """
    counts = Counter((one.what, one.reason, one.why if one.why != one.reason else "") for one in outcomes)
    for what in SAYS:
        for (came_to, reason, why), number in counts.most_common():
            if came_to == what:
                yield what, number, reason, why

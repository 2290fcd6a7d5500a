"""Dead letters on their way again: judged like any record of a source, sent by the same sender, watched to their end.

A letter is handled when its record has become the person's row, or a newer record has. Only then is it taken away:

1 judge     what is still no person stays a letter, noted as one attempt more
2 look      once the stream has read all that the topic holds: a newer row wins (overtaken), an erasure bars
3 mark      `sent`, with the ends of the topic from before; then the record goes, and is acknowledged
4 wait      until the stream has read past it. Bad again: the stream has put the same letter again (claim.py)
5 settle    a newer record that came between 2 and 3 is sent once more, so that it stays the newest; then the mark says
            `accepted` or `overtaken`; then the letter is removed

Killed anywhere, the same command goes on: what is marked `sent` is looked for in the topic and not sent twice, and
whatever is repeated comes to the same. docs/decisions/0007 has the reasons.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce

from engine.clients import mongo_client
from engine.dead_letters.claim import Claim
from engine.dead_letters.standing import People, Seen, Standing, first_met
from engine.errors import NotServed
from engine.person import Position
from engine.producer import SCHEMA, SETTLE_EVERY, Judged, judged, understood
from engine.sealing import load_keys
from engine.sender import Outgoing, Sender
from engine.settings import Settings
from engine.sources import Item, parsed
from engine.stores import dead_letters
from engine.stores.dead_letters import ACCEPTED, HANDLED, OVERTAKEN, REFUSED, SENT, Box, DeadLetter, DeadLetters, Mark
from engine.stores.status import Status

PRINCIPAL = "redrive"
LOOK_EVERY_S = 0.2

READY = "ready"          # a dry run: it would be sent
FAILED = "failed"        # it was sent, and the stream found it bad again
BARRED = "barred"        # its person is erased, or was when it came: it stays until its retention ends or it is discarded

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became, or would become, of one letter: ACCEPTED, OVERTAKEN, REFUSED, READY, FAILED or BARRED, and why."""

    place: str
    reason: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Redriven:
    """What a redrive did, or would do. counts: by what became of the letters."""

    done: bool
    outcomes: Sequence[Outcome] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many letters came to what."""
        return dict(Counter(outcome.what for outcome in self.outcomes))


@dataclass
class _Under:
    """A letter that is under way."""

    letter: DeadLetter
    record: Judged
    attempt: int
    since: Mapping[int, int] = field(default_factory=dict)

    @property
    def claim(self) -> Claim:
        return Claim(self.letter.place, self.attempt, self.letter.first_append)


def redrive(settings: Settings, letters: Sequence[DeadLetter], box: Box, say: Say, within_s: float, really: bool) -> Redriven:
    """Redrives these letters of the box; without `really` only says what would become of them.

    within_s: seconds to wait for the stream, twice at most. With `really` within `alone` (alone.py). Raises NotServed when it
    does not read in time, StoreAway, SignInRefused; the same call goes on where this one ended.
    """
    with ExitStack() as stack:
        return _Redrive(settings, box, say, within_s, stack).run(letters, really)


class _Redrive:
    """One run."""

    def __init__(self, settings: Settings, box: Box, say: Say, within_s: float, stack: ExitStack) -> None:
        self._settings, self._box, self._say, self._within_s = settings, box, say, within_s
        self._keys = load_keys(settings)
        self._letters = DeadLetters(settings, PRINCIPAL, self._keys)
        self._sender = Sender(settings, PRINCIPAL)
        stack.callback(self._letters.close)
        stack.callback(self._sender.close)
        self._people = stack.enter_context(People.opened(settings, PRINCIPAL, self._keys))
        self._standing = stack.enter_context(Standing.opened(settings, PRINCIPAL, self._keys, self._people))
        self._status = Status(stack.enter_context(mongo_client(settings, PRINCIPAL))[settings.mongo.database])
        self._outcomes: list[Outcome] = []

    def run(self, letters: Sequence[DeadLetter], really: bool) -> Redriven:
        under = self._judge(sorted(letters, key=lambda letter: first_met(self._settings, letter.place, letter.first_append)),
                            really)
        if not really:
            for one in self._looked_at(under, really):
                self._came_to(one.letter, READY)
            return Redriven(False, self._outcomes)
        for place in self._box.left_over:
            self._letters.remove(place)
        self._letters.flush()
        there = self._found([one for one in under if one.letter.state == SENT])
        fresh = [one for one in under if one.letter.place not in there]
        if fresh:
            self._say(f"looking up the people of {len(fresh)} letters")
            ends = self._people.ends()
            self._until_read(ends)
            fresh = self._send(self._looked_at(fresh, really), ends)
        self._settle([one for one in under if one.letter.place in there] + fresh)
        return Redriven(True, self._outcomes)

    def _judge(self, letters: Iterable[DeadLetter], really: bool) -> list[_Under]:
        """Those that are people now, in the order in which they were first met; the others are noted as refused."""
        under = []
        for letter in letters:
            mark = self._box.marks.get(letter.place)
            verdict = _judged(letter)
            going = letter.state == SENT and mark is not None
            one = _Under(letter, verdict, letter.attempts if going else letter.attempts + 1,
                         {int(number): end for number, end in mark.since.items()} if going and mark else {})
            if verdict.reason:
                self._came_to(letter, REFUSED, verdict.reason)
                if really:
                    self._mark(one, REFUSED)
            else:
                under.append(one)
        return under

    def _looked_at(self, under: Sequence[_Under], really: bool) -> list[_Under]:
        """Those that no newer row and no erasure stands against."""
        found = self._standing.against({one.letter.place: (one.record.uuid, one.letter.first_append) for one in under})
        for one in under:
            what = found.get(one.letter.place)
            if what == OVERTAKEN:
                self._came_to(one.letter, OVERTAKEN)
                if really:
                    self._mark(one, OVERTAKEN)
            elif what:
                self._came_to(one.letter, BARRED)
                if really and one.letter.state == SENT:    # the topic no longer holds its record: it is under way no more,
                    self._mark(one, REFUSED)               # waits, and can be discarded
        if really:
            self._letters.flush()
            self._remove(one for one in under if found.get(one.letter.place) == OVERTAKEN)
        return [one for one in under if not found.get(one.letter.place)]

    def _found(self, under: Sequence[_Under]) -> set[str]:
        """The places of those whose record an earlier run has sent, as far as the topic still holds it."""
        if not under:
            return set()
        self._say(f"{len(under)} letters are under way from an earlier run")
        seen = self._people.since([one.since for one in under], {one.record.uuid for one in under})
        claims = {(record.claim.place, record.claim.attempt) for records in seen.values() for record in records if record.claim}
        return {one.letter.place for one in under if (one.letter.place, one.attempt) in claims}

    def _send(self, under: Sequence[_Under], ends: Mapping[int, int]) -> list[_Under]:
        """Marks, then sends, each in the order in which they were first met."""
        sent = [replace(one, since=ends) for one in under]
        for one in sent:
            self._mark(one, SENT)
        self._letters.flush()
        self._say(f"sending {len(sent)} records")
        for number, one in enumerate(sent, 1):
            self._sender.send(self._outgoing(one))
            if number % SETTLE_EVERY == 0:
                self._sender.settle()
        self._sender.settle()
        return sent

    def _outgoing(self, one: _Under) -> Outgoing:
        key, value, origin = one.record.uuid.encode(), one.record.value, one.letter.origin
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        headers = {"source": PRINCIPAL, "schema": SCHEMA.decode(), "fetched_at": now, **origin}
        return Outgoing(self._settings.kafka.topic, key, value, [
            *((name, text.encode()) for name, text in headers.items()), *one.claim.headers(self._keys, key, value)],
            one.letter.place)

    def _settle(self, under: Sequence[_Under]) -> None:
        """Waits for the stream, then says of each what it came to, in its mark, and takes the handled ones away."""
        if not under:
            return
        ends = self._people.ends()
        self._until_read(ends)
        seen = self._people.since([one.since for one in under], {one.record.uuid for one in under}, ends)
        box = dead_letters.read(self._settings, PRINCIPAL, self._keys)
        again: set[Position] = set()
        verdicts = [(one, self._verdict(one, seen.get(one.record.uuid, ()), box, again)) for one in under]
        self._sender.settle()    # what is sent again is kept before any mark says that all is done
        for one, what in verdicts:
            self._came_to(one.letter, what, box.letters[one.letter.place].reason if what == FAILED else "")
            if what != FAILED:
                self._mark(one, what)
        self._letters.flush()
        self._remove(one for one, what in verdicts if what in HANDLED)

    def _verdict(self, one: _Under, seen: Sequence[Seen], box: Box, again: set[Position]) -> str:
        """What one came to. A newer record that ours would hide is sent again; `again` has those that were."""
        letter = box.letters.get(one.letter.place)
        if letter is not None and letter.attempts >= one.attempt:
            return FAILED
        good = [record for record in seen if not _bad(record, box)]
        ours = [record for record in good if record.claim == one.claim]
        if not ours:
            return REFUSED    # the broker took no such record
        last = reduce(lambda one, other: other if other.at.newer_than(one.at) else one, good)
        best = reduce(lambda one, other: other if other.met.newer_than(one.met) else one, good)
        if best.met.newer_than(last.met) and best.at not in again:
            again.add(best.at)
            self._sender.send(Outgoing(self._settings.kafka.topic, one.record.uuid.encode(), best.value, best.headers,
                                       best.place))
        return ACCEPTED if best in ours else OVERTAKEN

    def _until_read(self, ends: Mapping[int, int]) -> None:
        """Waits until the stream has closed a turn beyond these offsets."""
        until, told = time.monotonic() + self._within_s, False
        wanted = self._people.to_read(ends)
        while True:
            figures, state = self._status.read("figures") or {}, self._status.writer()
            read = figures.get("offsets", {}) if figures.get("checkpoint") == state.checkpoint else {}
            if all(read.get(str(number), 0) >= end for number, end in wanted.items()):
                return
            if time.monotonic() > until:
                raise NotServed(f"The stream has not read to the end of the topic within {self._within_s:.0f} s. Nothing is "
                                "lost: give the same command again when it runs (`rollcall status` shows whether it does).")
            if not told:
                self._say("waiting until the stream has read to the end of the topic")
                told = True
            time.sleep(LOOK_EVERY_S)

    def _mark(self, one: _Under, state: str) -> None:
        since = {str(number): end for number, end in one.since.items()} if state == SENT else {}
        self._letters.mark(Mark(one.letter.place, state, one.attempt, one.letter.first_append, since=since))

    def _remove(self, under: Iterable[_Under]) -> None:
        for one in under:
            self._letters.remove(one.letter.place)
        self._letters.flush()

    def _came_to(self, letter: DeadLetter, what: str, why: str = "") -> None:
        self._outcomes.append(Outcome(letter.place, letter.reason, what, why))


def _bad(record: Seen, box: Box) -> bool:
    """Whether the stream found it no person; a null is none either."""
    if record.claim is None:
        return record.value is None or box.knows(record.place)
    letter = box.letters.get(record.claim.place)
    return letter is not None and letter.attempts >= record.claim.attempt


def _judged(letter: DeadLetter) -> Judged:
    """What the producer would make of the letter's person."""
    if not letter.opened:
        return Judged(reason="The letter cannot be opened: its key is not in the key ring (keys.json), or it is damaged.")
    if not understood(letter.origin.get("schema")):
        return Judged(reason="The header `schema` names a version of a person that is not understood. Update Rollcall.")
    try:
        return judged(Item(letter.place, parsed(letter.value)))
    except ValueError:
        return Judged(reason="The letter is not JSON. Mend it at its source and send it again.")

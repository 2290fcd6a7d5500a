"""The audit: what each person and each command did, as a chain in which nothing can be cut, edited or moved unseen.

Every entry is sealed (HMAC under a key of the installation) over its number, its fields and the seal of the entry before.
So an edited or moved entry no longer fits its seal, a missing one leaves a number out, and who has no key cannot make
others that fit. That the newest were cut off is seen by the head, which stands apart from the store (engine/stores/audit.py).

An entry names no person of ours: what an act was about is a token, a place, an account or a program.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

FIRST = "0" * 64
"""What stands for the entry before the first."""

BEGUN, DONE, FAILED, REFUSED = "begun", "done", "failed", "refused"

Seal = Callable[[str], str]
"""Text -> its HMAC in hex."""


@dataclass(frozen=True)
class Entry:
    """One line of the audit.

    n: from 1, without gaps. at: UTC, whole milliseconds. who: an account, or `system user` of a command. act: an
    action of governance/permissions.py, `sign-in`, `sign-out`, or what a command does (`person.erase`). target: on what.
    result: BEGUN, DONE, FAILED or REFUSED.
    why: the reason that was given, or what went wrong.
    """

    n: int
    at: datetime
    who: str
    act: str
    target: str
    result: str
    why: str
    previous: str = FIRST
    seal: str = ""

    @property
    def text(self) -> str:
        """What is sealed: every field but the seal itself."""
        return json.dumps([self.n, self.at.astimezone(UTC).isoformat(timespec="milliseconds"), self.who, self.act, self.target,
                           self.result, self.why, self.previous], ensure_ascii=False)

    def has(self, text: str) -> bool:
        """Whether a text stands in what was written down, in any case, or is the number; seals and times are not looked at."""
        wanted = text.strip().lower()
        return wanted == str(self.n) or any(
            wanted in field.lower() for field in (self.who, self.act, self.target, self.result, self.why))

    def sealed(self, seal: Seal) -> "Entry":
        """The entry with its seal."""
        return replace(self, seal=seal(self.text))


@dataclass(frozen=True)
class Head:
    """The newest entry that is known to have been written."""

    n: int = 0
    seal: str = FIRST


@dataclass(frozen=True)
class Broken:
    """A link that does not hold: at which number, and what is wrong there."""

    n: int
    what: str


def moment(at: datetime) -> datetime:
    """A moment as entries keep it: in UTC, of whole milliseconds."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def broken(entries: Iterable[Entry], seal: Seal, head: Head) -> Iterator[Broken]:
    """Every link that does not hold, in the order of the chain.

    entries: by number, as the store has them. head: as it is remembered outside the store.
    """
    n, previous, head_seal = 0, FIRST, ""
    for entry in entries:
        if entry.n > n + 1:
            yield Broken(n + 1, f"{_entries(n + 1, entry.n - 1)} missing")
        if seal(entry.text) != entry.seal:
            yield Broken(entry.n, f"entry {entry.n} is not as it was written: it was edited, moved or made by somebody else")
        elif entry.n == n + 1 and entry.previous != previous:
            yield Broken(entry.n, f"entry {entry.n} does not follow entry {n}: one of the two was exchanged")
        n, previous = entry.n, entry.seal
        if entry.n == head.n:
            head_seal = entry.seal
    if n < head.n:
        yield Broken(n + 1, f"{_entries(n + 1, head.n)} missing: the chain had reached {head.n}")
    elif n and not head.n:    # a cut end could not be told from none: who cuts it takes the file away, too
        yield Broken(n, f"the file that remembers the newest entry is gone or damaged: entries after {n} may have been cut")
    elif head.n and head_seal and head_seal != head.seal:
        yield Broken(head.n, f"entry {head.n} was exchanged since it was written")


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"

"""Who may stand in Cassandra: what is not known here surely has no row or marker, and need not be asked for.

Only the one writer can know this: rows and markers come by its turns alone. It learns who stands already by one look at both
tables, taken beside its turns once many come at a time; from the moment the look begins it notes whom its turns write.
Whoever goes stays known, for being known costs no more than a question.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.errors import Retryable, SignInRefused
from engine.stores.profiles import Profiles

DIGITS = 15
"""Hexadecimal digits of a uuid or token, its last, that stand for it here: they fit a 64-bit number. Two who share them are
asked for needlessly, no more."""

AT_A_TIME = 50_000


def number_of(digits: str) -> int:
    """What stands for a uuid or a token."""
    return int(digits.replace("-", "")[-DIGITS:], 16)


def more_than_once(numbers: Sequence[int]) -> set[int]:
    """Those that are there twice or more."""
    each, times = np.unique(np.asarray(numbers, dtype=np.int64), return_counts=True)
    return set(each[times > 1].tolist())


class Numbers:
    """A set of whole numbers that only grows, 8 bytes each: sorted arrays, of which the small ones are merged."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        return sum(part.size for part in self._parts)

    def add(self, numbers: Sequence[int]) -> None:
        """Takes them in; any may be in already."""
        part = np.unique(np.asarray(numbers, dtype=np.int64))
        while self._parts and self._parts[-1].size <= 2 * part.size:
            part = np.union1d(self._parts.pop(), part)
        if part.size:
            self._parts.append(part)

    def held(self, numbers: Sequence[int]) -> set[int]:
        """Those of these that are in."""
        asked = np.asarray(numbers, dtype=np.int64)
        found = np.zeros(asked.size, dtype=bool)
        for part in self._parts:
            found |= part[np.searchsorted(part, asked).clip(max=part.size - 1)] == asked
        return set(asked[found].tolist())


class Known:
    """Who may have a row, and who a marker. Until `learn` was called and has ended, anybody may."""

    def __init__(self) -> None:
        self.noting = False    # whether turns tell whom they write
        self._whole = False
        self._rows, self._markers = Numbers(), Numbers()
        self._lock = threading.Lock()

    def learn(self, profiles: Profiles, say: Callable[[str], None]) -> None:
        """Begins to learn, once, on a thread of its own. Between two turns, so that none is under way whose rows come unseen.

        Where Cassandra does not answer, it knows nobody, and may be asked again."""
        if self.noting:
            return
        self._rows, self._markers, self.noting = Numbers(), Numbers(), True
        threading.Thread(target=self._learn, args=(profiles, say), name="known", daemon=True).start()

    def _learn(self, profiles: Profiles, say: Callable[[str], None]) -> None:
        try:
            self._take(self._rows, profiles.every_uuid())
            self._take(self._markers, profiles.every_token())
        except (Retryable, SignInRefused) as error:
            say(f"who has a row could not be learnt: {error}")
            self.noting = False
            return
        self._whole = True
        say(f"{len(self._rows)} people with rows and {len(self._markers)} with markers are known: of others nothing is read")

    def _take(self, into: Numbers, found: Iterable[str]) -> None:
        them = iter(found)
        while some := [number_of(one) for one in islice(them, AT_A_TIME)]:
            with self._lock:
                into.add(some)

    def may_have_rows(self, people: Sequence[int]) -> set[int] | None:
        """Those of these people who may have a row; None: any may. From now on all may, for the turn that asks writes them."""
        with self._lock:
            found = self._rows.held(people) if self._whole else None
            if self.noting:
                self._rows.add(people)
            return found

    def may_have_markers(self, tokens: Sequence[int]) -> set[int] | None:
        """Those of these who may have a marker; None: any may."""
        with self._lock:
            return self._markers.held(tokens) if self._whole else None

    def marked(self, tokens: Iterable[str]) -> None:
        """These get markers."""
        if self.noting:
            with self._lock:
                self._markers.add([number_of(token) for token in tokens])

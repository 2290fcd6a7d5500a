"""The breach log as it is kept: each breach with its versions (Art. 33(5) GDPR asks that every one is documented)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import yaml

from engine.errors import Final
from engine.stores.records import BREACH, Record, Records, Stale
from governance.breach_notices import NoSuchNotice, to_authority, to_controller, to_people
from governance.breaches import Breach, NotABreach, breach, closed
from governance.register import changed


class StaleBreach(Stale):
    """Somebody else has saved the breach meanwhile. theirs: field -> (before, after) of what they changed."""

    def __init__(self, newest: Record, base: Breach | None) -> None:
        super().__init__(newest)
        self.theirs = changed(base, _logged(newest).breach)

    def __str__(self) -> str:
        return f"{super().__str__()} They changed {', '.join(self.theirs) or 'nothing'}."


class To(StrEnum):
    """Whom a letter about a breach is for."""

    AUTHORITY = "authority"
    CONTROLLERS = "controllers"
    PEOPLE = "people"


class BreachRefused(Final):
    """A breach cannot be kept, or not be closed, as asked."""

    exit_code = 65


@dataclass(frozen=True)
class Logged:
    """One version of a breach: n from 1, when, by whom and why it was written."""

    breach: Breach
    n: int
    at: datetime
    by: str
    why: str


class Breaches:
    """The breach log of an installation, over its records."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def all(self) -> list[Logged]:
        """The newest version of each, by ref."""
        return [_logged(record) for record in self._records.newest(BREACH)]

    def versions(self, ref: str) -> list[Logged]:
        """Every version of one, oldest first. Raises BreachRefused if there is none of this ref."""
        found = [_logged(record) for record in self._records.versions(BREACH, ref)]
        if not found:
            raise BreachRefused(f"The log has no breach {ref!r}. `rollcall breach list` names them.")
        return found

    def save(self, wanted: Breach, base_n: int, by: str, why: str) -> Logged:
        """Keeps a version that is based on version `base_n` (0: a new breach). Raises StaleBreach, BreachRefused."""
        if not why.strip():
            raise BreachRefused("Say why: a version of the log is kept with its reason.")
        at = datetime.now(UTC)
        try:
            return _logged(self._records.add(Record(BREACH, wanted.ref, base_n + 1, str(wanted.state_at(at)),
                                                    wanted.model_dump_json(), at, by, why.strip())))
        except Stale as stale:
            if stale.newest is None:
                raise BreachRefused(f"{wanted.ref} is said to be based on version {base_n}, and there is none. "
                                    f"`rollcall breach show {wanted.ref}` prints the newest.") from None
            based = self._records.versions(BREACH, wanted.ref)[:base_n]
            raise StaleBreach(stale.newest, _logged(based[-1]).breach if based else None) from None

    def close(self, ref: str, base_n: int, hours: int, by: str, why: str) -> Logged:
        """Closes one, if nothing is missing. Raises StaleBreach, BreachRefused with all that is."""
        try:
            done = closed(self.versions(ref)[-1].breach, datetime.now(UTC), hours)
        except NotABreach as missing:
            raise BreachRefused(str(missing)) from None
        return self.save(done, base_n, by, why)

    def concerning(self, ref: str) -> Sequence[str]:
        """Refs of the breaches that concern an entry of the register."""
        return [one.breach.ref for one in self.all() if ref in one.breach.activities]


def letters_of(known: Breach, to: To, hours: int, now: datetime) -> dict[str, str]:
    """The letters as HTML pages, each for one reader, who must not see who else gets one: a short name of the reader that files
    can be called by -> the page. Raises BreachRefused where there is no such letter to write."""
    try:
        match to:
            case To.AUTHORITY:
                return {str(to): to_authority(known, hours, now)}
            case To.PEOPLE:
                return {str(to): to_people(known)}
            case To.CONTROLLERS:
                if not known.controllers:
                    raise BreachRefused(f"{known.ref} names no controllers on whose behalf we act.")
                from governance.sheets.draft import free_ref  # workbooks are imported only by those who need them

                letters: dict[str, str] = {}
                for one in known.controllers:
                    letters[free_ref(one.party.name, letters)] = to_controller(known, one)
                return letters
    except NoSuchNotice as none:
        raise BreachRefused(f"{none}.") from None


def breach_of(text: str) -> Breach:
    """A breach of its YAML (or JSON). Raises BreachRefused, which names what is wrong."""
    return read_breach(text)[0]


def read_breach(text: str) -> tuple[Breach, int | None]:
    """The same, and the number of the version it says that it is based on (`based_on`), if it does."""
    try:
        fields: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:    # a day that there is not is a ValueError
        where = getattr(error, "problem_mark", None)
        raise BreachRefused(f"This is no YAML{f' (line {where.line + 1})' if where else ''}; docs/privacy.md shows the form of "
                            "a breach.") from None
    n = fields.pop("based_on", None) if isinstance(fields, dict) else None
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise BreachRefused("based_on is the number of a version, as `rollcall breach show` writes it.")
    try:
        return breach(fields), n
    except NotABreach as wrong:
        raise BreachRefused(f"{wrong} docs/privacy.md shows the form of a breach.") from None


def _logged(record: Record) -> Logged:
    try:
        return Logged(Breach.model_validate_json(record.body), record.n, record.at, record.by, record.why)
    except ValueError:
        raise BreachRefused(f"Version {record.n} of {record.name} is damaged in Cassandra (table records); restore it from its "
                            "backup.") from None

"""Live aggregates and releases for the tests of public figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from governance.disclosure import publish
from governance.disclosure.figures import Figures
from governance.disclosure.ledger import Back, Held, Release, Why

T0 = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
AGE = 40.0


def figures(nationalities: Mapping[str, int], age: float = AGE, **tables: Any) -> Figures:
    """Aggregates with these nationalities; what is not said is one category. age: of everybody, in years."""
    people = sum(nationalities.values())
    made = Figures(nationalities, {"female 40-49": people}, {"mail.example": people}, {"2026-11-28T11": people},
                   {nat: n * age for nat, n in nationalities.items()})
    return replace(made, **tables)


def of_table(name: str, counts: Mapping[str, int]) -> Figures:
    """Aggregates in which one table has these counts, and each of the others one category."""
    if name == "nationalities":
        return figures(counts)
    table: dict[str, Any] = {name: counts}
    return replace(figures({"FR": sum(counts.values())}), **table)


def attempt(live: Figures, earlier: Sequence[Release] = ()) -> Release | Held:
    """The next release, an hour after the last."""
    now = T0 + len(earlier) * HOUR
    return publish(live, earlier, now, now + HOUR)


def released(*lives: Figures) -> list[Release]:
    """Releases of these aggregates, one after the other."""
    made: list[Release] = []
    for live in lives:
        one = attempt(live, made)
        assert isinstance(one, Release), one
        made.append(one)
    return made


def shown(release: Release, table: str = "nationalities") -> dict[str, int]:
    """What is seen of a table, other included (as "")."""
    seen = release.snapshot.table(table)
    return {**{cell.key: cell.people for cell in seen.cells}, **({"": seen.other} if seen.other else {})}


def why(release: Release, key: str, table: str = "nationalities") -> Why | None:
    """Why a category is held back, if it is."""
    found: list[Back] = [back for back in release.ledger.held_back if (back.table, back.key) == (table, key)]
    assert len(found) <= 1
    return found[0].why if found else None

"""The aggregates as the console shows them: MongoDB's documents as small tables, each for its chart, its table and its CSV."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
from pymongo.database import Database

from app import words
from app.public.countries import name
from engine.birth_months import average_age, band, by_band, merged
from engine.clients import mapped
from engine.publishing.live import settled as settled_between
from engine.stores.aggregates import documents
from engine.stores.schema import ARRIVALS, BY_EMAIL_DOMAIN, BY_NATIONALITY
from engine.stores.status import Status

TOP = 15
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Counted:
    """Everything that is counted, as of one turn. Each frame has the people in its column `users`."""

    at: datetime | None
    settled: bool
    synthetic: bool
    people: int
    average_age: float | None
    nationalities: pd.DataFrame    # code, country, users, average_age
    pyramid: pd.DataFrame          # band, gender, users
    domains: pd.DataFrame          # domain, users
    arrivals: pd.DataFrame         # hour, users
    births: Mapping[str, int]      # month of birth -> people

    def users_of(self, nat: str = "", domain: str = "", born: tuple[str, str] | None = None) -> int:
        """How many people have a nationality, or a domain, or were born from one month to another; all when none is given."""
        if born:
            return sum(users for month, users in self.births.items() if born[0] <= month <= born[1])
        if not nat and not domain:
            return self.people
        frame, column, value = (self.nationalities, "code", nat) if nat else (self.domains, "domain", domain)
        return int(frame.loc[frame[column] == value, "users"].sum())


def read(database: Database[Any]) -> Counted:
    """Reads the aggregates. `settled` says whether they are all of one turn."""
    status = Status(database)
    before = status.writer()
    with mapped("reading aggregates", "console"):
        found = [documents(database, collection) for collection in (BY_NATIONALITY, BY_EMAIL_DOMAIN, ARRIVALS)]
    whole = settled_between(found, before, status.writer())
    return of(found[0], found[1], found[2], status.read("figures") or {}, whole, datetime.now(UTC).date())


def of(nationalities: Iterable[Document], domains: Iterable[Document], arrivals: Iterable[Document], figures: Document,
       settled: bool, today: date) -> Counted:
    """The documents as tables."""
    people = [kept for kept in nationalities if kept["users"] > 0]
    births = {kept["_id"]: merged(kept.get("births", {}).values()) for kept in people}
    by_nat = [{"code": kept["_id"], "country": name(kept["_id"]), "users": kept["users"],
               "average_age": average_age(births[kept["_id"]], today)} for kept in people]
    bands = by_band([kept.get("births", {}) for kept in people], today)
    pyramid = [{"band": band(begins), "gender": gender, "users": users, "from": begins}
               for (gender, begins), users in sorted(bands.items(), key=lambda one: one[0][::-1]) if users]
    return Counted(
        figures.get("at"), settled, bool(figures.get("synthetic")), sum(kept["users"] for kept in people),
        average_age(merged(births.values()), today),
        _frame(by_nat, ["code", "country", "users", "average_age"], "users", False),
        _frame(pyramid, ["band", "gender", "users", "from"], "from", True),
        _frame([{"domain": kept["_id"], "users": kept["users"]} for kept in domains if kept["users"] > 0],
               ["domain", "users"], "users", False),
        _frame([{"hour": datetime.strptime(kept["_id"], "%Y-%m-%dT%H").replace(tzinfo=UTC), "users": kept["users"]}
                for kept in arrivals if kept["users"] > 0], ["hour", "users"], "hour", True), merged(births.values()))


def top(domains: pd.DataFrame) -> pd.DataFrame:
    """The largest domains, and one line for the rest."""
    rest = int(domains["users"][TOP:].sum())
    first = domains.head(TOP)
    return pd.concat([first, pd.DataFrame([{"domain": words.OTHER, "users": rest}])]) if rest else first


def _frame(rows: list[dict[str, Any]], columns: list[str], by: str, ascending: bool) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns).sort_values(by, ascending=ascending, kind="stable", ignore_index=True)

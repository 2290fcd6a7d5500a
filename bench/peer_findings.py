"""What a path left in the stores, compared with the people who were sent: is it right, is it whole, can anybody read it?"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from engine.clients import cassandra_session, mongo_client
from engine.person import NATIONALITIES
from engine.settings import Settings
from engine.stores import aggregates

WHO = "provision"
"""Reads everything in clear that is not encrypted."""


@dataclass(frozen=True)
class Truth:
    """A person as she was sent."""

    uuid: str
    nat: str
    country: str
    birth: date
    address: str
    personal: Mapping[str, str]    # kind -> what of it must not be read by anybody

    def age(self, today: date) -> int:
        """Whole years."""
        return today.year - self.birth.year - ((today.month, today.day) < (self.birth.month, self.birth.day))


def truth(value: bytes) -> Truth:
    """What a record of the topic says."""
    person = json.loads(value)
    place, name, born = person["location"], person["name"], person["dob"]["date"][:10]
    street = place["street"]
    parts = (street["number"], street["name"], place["city"], place["state"], place["country"], place["postcode"])
    return Truth(person["login"]["uuid"], person["nat"], place["country"], date.fromisoformat(born),
                 ", ".join(str(part) for part in parts),
                 {"name": f"{name['first']} {name['last']}", "e-mail": person["email"], "phone": person["phone"],
                  "street": street["name"], "birth date": born})


@dataclass(frozen=True)
class Path:
    """Where a path writes. ident: column of the uuid, empty where there is none; age_in: the store that has it; address: column
    of the address's SHA-256; figures: how its counts by group are read, and by which attribute of Truth they are."""

    keyspace: str
    table: str = "users"
    ident: str = "id"
    age_in: str = "rows"
    address: str = ""
    documents: str = "users"
    figures: str = "scan"
    group: str = "nat"


PATHS = {
    "a": Path("peer_a", ident="", age_in="documents"),
    "b1": Path("peer_b1", address="address"), "b2": Path("peer_b2", address="address"),
    "d": Path("peer_d", figures="country_stats", group="country"),
}


def ours(settings: Settings) -> Path:
    """Our own tables."""
    return Path(settings.cassandra.keyspace, "profiles", "uuid", documents="", figures=NATIONALITIES)


def rows(settings: Settings, path: Path) -> list[dict[str, Any]]:
    """Every row."""
    with cassandra_session(settings, WHO) as session:
        return [row._asdict() for row in session.execute(f"SELECT * FROM {path.keyspace}.{path.table}", timeout=120)]


def documents(settings: Settings, path: Path) -> list[dict[str, Any]]:
    """Every document of persons."""
    if not path.documents:
        return []
    with mongo_client(settings, WHO) as client:
        return list(client[path.keyspace][path.documents].find())


def figures(settings: Settings, path: Path) -> tuple[dict[str, int], float]:
    """People by group as the path shows them, and seconds to read that: of a path that keeps none, by a scan."""
    with mongo_client(settings, WHO) as client:
        began = time.perf_counter()
        if path.figures == "scan":
            frame = pd.DataFrame(client[path.keyspace][path.documents].find())
            counts = {str(name): int(n) for name, n in frame[path.group].value_counts().items()} if len(frame) else {}
        else:
            kept = aggregates.documents(client[path.keyspace], path.figures)
            counts = {str(one["_id"]): int(one["users"]) for one in kept}
        return {name: n for name, n in counts.items() if n}, time.perf_counter() - began


def found(settings: Settings, path: Path, sent: Sequence[Truth], others: Iterable[Truth] = (), today: date | None = None,
          ) -> dict[str, Any]:
    """Compares the stores with the people who were sent. others: people whom the path had before, counted and no more."""
    now, by_uuid = today or datetime.now(UTC).date(), {one.uuid: one for one in sent}
    before = {one.uuid for one in others}
    standing = [row for row in rows(settings, path) if not path.ident or str(row[path.ident]) not in before]
    kept = documents(settings, path)
    counts, seconds = figures(settings, path)
    want = Counter(getattr(one, path.group) for one in (*sent, *others))
    there = {str(row[path.ident]) for row in standing} if path.ident else set()
    aged = standing if path.age_in == "rows" else kept
    # a document without a uuid says her birth date in clear: that is enough to know whether its age is right
    wrong = sum(1 for row in aged if _known(row, path, by_uuid) and row["age"] != _of(row, path, by_uuid).age(now))
    return {
        "people": len(sent), "rows": len(standing), "documents": len(kept) if path.documents else None,
        "lost": len(by_uuid.keys() - there) if path.ident else _missing(len(sent), len(standing)),
        "wrong_ages": round(wrong / len(aged), 4) if aged else None,
        "wrong_addresses": _wrong_addresses(standing, path, by_uuid), "garbled": round(garbled(standing), 4),
        "figures_right": counts == dict(want), "figures_s": round(seconds, 4),
        "in_clear": in_clear([*standing, *kept], path, by_uuid)}


def _missing(people: int, rows: int) -> int | None:
    """How many people are no rows where no row says whose it is; None where somebody has two."""
    return people - rows if rows <= people else None


def _known(row: Mapping[str, Any], path: Path, by_uuid: Mapping[str, Truth]) -> bool:
    return not path.ident or str(row[path.ident]) in by_uuid


def _of(row: Mapping[str, Any], path: Path, by_uuid: Mapping[str, Truth]) -> Truth:
    if path.ident:
        return by_uuid[str(row[path.ident])]
    return Truth("", "", "", row["dob_date"].date(), "", {})


def _wrong_addresses(standing: Sequence[Mapping[str, Any]], path: Path, by_uuid: Mapping[str, Truth]) -> float | None:
    """Share of rows whose address is not the hash of the whole address."""
    if not path.address or not standing:
        return None
    wrong = sum(1 for row in standing if _known(row, path, by_uuid)
                and row[path.address] != hashlib.sha256(_of(row, path, by_uuid).address.encode()).hexdigest())
    return round(wrong / len(standing), 4)


def garbled(standing: Sequence[Mapping[str, Any]]) -> float:
    """Share of rows that hold the name of a Java object where a value should be."""
    broken = sum(any(isinstance(value, str) and value.startswith("[B@") for value in row.values()) for row in standing)
    return broken / len(standing) if standing else 0.0


def in_clear(stored: Sequence[Mapping[str, Any]], path: Path, by_uuid: Mapping[str, Truth]) -> dict[str, float]:
    """Kind of personal data -> share of what is stored of a person that shows hers to whoever reads it."""
    shown: Counter[str] = Counter()
    looked_at = 0
    for row in stored:
        text = "\n".join(_texts(row.values()))
        ident = next((str(row[name]) for name in (path.ident, "id") if name and name in row), "")
        whose = [by_uuid[ident]] if ident in by_uuid else [] if path.ident else list(by_uuid.values())
        looked_at += bool(whose)
        for kind in {kind for one in whose for kind, value in one.personal.items() if value and value in text}:
            shown[kind] += 1
    return {kind: round(n / looked_at, 4) for kind, n in sorted(shown.items())}


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        yield value.decode(errors="replace") if isinstance(value, bytes) else str(value)

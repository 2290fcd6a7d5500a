"""How large a machine or a cluster has to be, worked out from what was measured: the tables of docs/scaling.md.

    python -m bench.sizing docs/scaling.md        (writes each table between two marks of that page)

Rates are of `make proof-flow` where that was run, else of the local run of `make proof-cluster`; what a person takes on disk is
of the latter. Everything is a straight line through what one machine of two cores did: the page says what that leaves out.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cluster import told
from bench.report import table
from engine.settings import CLONE

PROOFS = CLONE / "docs" / "proofs"
NOT_YET = "Not measured yet: `make proof-cluster`."

BEGIN, END = "<!-- {}: made by `python -m bench.sizing docs/scaling.md` -->", "<!-- end of {} -->"
"""Marks of what is measured on a page; in the braces its name."""

PEOPLE = (100_000, 1_000_000, 10_000_000, 100_000_000)
RATES = (500, 2_000, 10_000, 50_000)
ROOM = 2.0
"""Of a disk, for each byte that stands on it: Cassandra's compaction writes a table anew beside the old one."""

HEADROOM = 0.5
"""Of what was measured, what is planned with: the other half catches up after an outage."""


@dataclass(frozen=True)
class Measured:
    """What a person costs. rate_of: where the rates are from; new, updates: records a second of one core of that machine, with
    everything that it runs; topic, rows: bytes of one copy of a record, and of a row; aggregates: MB in all, for `counted`
    people; copies: of the cluster, and share: of the local rate that the same machine did as a cluster, by phase."""

    rate_of: str
    new: float
    updates: float
    topic: float
    rows: float
    aggregates: float
    counted: int
    copies: int
    share: Mapping[str, float]


def measured(cluster: Mapping[str, Any], flow: Mapping[str, Any] | None = None) -> Measured:
    """From reports of `make proof-cluster` and, if there is one, `make proof-flow`."""
    local, many, copies = cluster["local"], cluster["cluster"], int(cluster["copies"])
    of, name = (flow, "flow") if flow else ({**cluster, **local}, "cluster")
    cores = int(of["cores"])
    rates = {phase: float(of["flow"][phase]["records_a_second"]) for phase in ("new", "updates")}
    return Measured(
        f"docs/proofs/{name}.json, made {str(of['made'])[:10]} on {cores} cores",
        rates["new"] / cores, rates["updates"] / cores,
        _each(local["stored_mb"]["topic"], local["records"]), _each(local["stored_mb"]["rows"], local["verify"]["rows"]),
        float(local["stored_mb"]["aggregates"]), int(local["verify"]["rows"]), copies,
        {phase: many["flow"][phase]["records_a_second"] / local["flow"][phase]["records_a_second"]
         for phase in ("new", "updates")})


def gigabytes(people: int, bytes_each: float, copies: int) -> float:
    """Disk in GB that so many of them need, with room to compact."""
    return people * bytes_each * copies * ROOM / 1e9


def cores(rate: float, of_a_core: float) -> int:
    """Cores of such a kind for so many records a second, with headroom."""
    return math.ceil(rate / (of_a_core * HEADROOM))


def tables(found: Measured) -> str:
    """The sizes, as they stand on the page."""
    costs = table(("measured", ""), [
        ("new people a second and core", found.new), ("updates a second and core", found.updates),
        ("bytes of a record in the topic, one copy", found.topic), ("bytes of a row in Cassandra, one copy", found.rows),
        (f"MB of MongoDB's (FerretDB's) files, for {found.counted:,} people", found.aggregates),
        *((f"{phase}: rate of the cluster on the same machine, % of the local one", 100 * share)
          for phase, share in found.share.items())])
    disk = table(
        ("people stored", "topic, 1 copy, GB", f"topic, {found.copies} copies, GB", "rows, 1 copy, GB",
         f"rows, {found.copies} copies, GB"),
        ((f"{people:,}", *(gigabytes(people, size, copies) for size in (found.topic, found.rows)
                           for copies in (1, found.copies))) for people in PEOPLE))
    speed = table(("a second", "cores in all, new people", "cores in all, updates", "partitions at least"), (
        (f"{rate:,}", cores(rate, found.new), cores(rate, found.updates), cores(rate, found.updates)) for rate in RATES))
    return "\n\n".join((f"Rates: {found.rate_of}. Sizes: docs/proofs/cluster.json.", costs, disk, speed))


def filled(page: str, name: str, made: str) -> str:
    """The page with this between the marks of that name. Raises ValueError where it has none."""
    first, last = BEGIN.format(name), END.format(name)
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page has no place for {name}: {first} ... {last}")
    return f"{before}{first}\n\n{made}\n\n{last}{after}"


def of_proofs(page: str, folder: Path = PROOFS) -> str:
    """The page with what the kept reports say; before `make proof-cluster` was run, with that."""
    report, flow = (json.loads(path.read_text()) if path.exists() else None
                    for path in (folder / "cluster.json", folder / "flow.json"))
    if report is None:
        return filled(filled(page, "cluster", NOT_YET), "sizing", NOT_YET)
    seen = (f"The run of {report['made'][:10]}, kept in docs/proofs/cluster.json: {report['people']:,} people, "
            f"{report['cores']} cores for all of it.\n\n{told(report)}")
    page = filled(page, "cluster", seen)
    return filled(page, "sizing", tables(measured(report, flow)))


def _each(megabytes: float, count: int) -> float:
    return megabytes * 2 ** 20 / count


def main(page: Annotated[Path, typer.Argument(help="The page that is filled.")]) -> None:
    """Writes the tables into the page."""
    page.write_text(of_proofs(page.read_text()))


if __name__ == "__main__":
    typer.run(main)

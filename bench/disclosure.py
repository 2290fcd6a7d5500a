"""Do public figures give anybody away? An attacker's simulation over published snapshots, and over figures that are not safe.

    python -m bench.disclosure --arrivals 20000 --releases 300 --json docs/proofs/disclosure.json

Made-up people come, change and leave (bench/disclosure_world.py) and figures are published in several ways. Watchers see every
publication and know when each of them came or left (bench/disclosure_watchers.py); what is certain is what no other world
explains. On our snapshots there are also watchers who know people (bench/disclosure_knowing.py), linear programs
(bench/disclosure_programs.py) and the checks of bench/disclosure_checks.py. Exits with 1 when a limit is not kept.
"""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.disclosure_checks import k_behind, k_of, off_by, small_marks, small_steps
from bench.disclosure_knowing import Knowers, Knowing, exact_ages
from bench.disclosure_programs import WINDOW, Found, Moved, ranges
from bench.disclosure_watchers import Ours, Simple, Tally, moves, watch, watched
from bench.disclosure_world import Event, history, one_by_one, quiet
from bench.made import made
from governance.disclosure.figures import COUNTS
from governance.disclosure.method import LATE, K

ALLOWED, UNPROVED, TELLS = 0.01, 0.02, 0.9
PER_PROGRAM, LIVE, OF_ALL = 5, 800, 10**9


@dataclass
class Ran:
    """One run of our snapshots, watched. tallies: at each release, live: of its beginning, with a release after every event,
    quiet: of another history, in which one person comes or leaves while ten change; knowers: what those got who know people;
    found: hidden counts by linear programming; late: people, at most."""

    tallies: dict[str, Tally]
    live: dict[str, Tally]
    quiet: dict[str, Tally]
    knowers: Knowers
    found: list[Found]
    releases: int
    moved: int
    counted: dict[str, int]
    held: int
    k_published: int
    k_behind: int
    off_by: int
    late: int
    small_steps: list[str]
    small_marks: list[str]


def share(part: int, whole: int) -> float:
    """A share; of nobody, none."""
    return part / whole if whole else 0.0


def ours(events: Sequence[Sequence[Event]], seed: int, programs: int, sample: int = 2) -> Ran:
    """Our snapshots over a history. programs: how many hidden counts to look for; sample: targets of those who know people,
    at each release, that came, and as many that left."""
    publisher, rng = Ours("snapshots"), random.Random(seed)
    tallies, knowers = {table: Tally() for table in COUNTS}, Knowers(rng, sample)
    moved: list[Moved] = []
    behind: dict[str, dict[str, int]] = {}
    k = OF_ALL
    for some in moves(publisher, events):
        for move in some:
            watch(publisher, move, tallies[move.table])
            knowers.watch(publisher, move)
        anew = {move.table: {key: n for key, n in move.count.tables[move.table].items() if n} for move in some}
        behind |= anew
        moved.append(Moved(publisher.releases[-1].snapshot, anew))
        k = min(k, k_behind(moved[-1].snapshot, behind))
    still = Ours("while ten change")
    snapshots = [one.snapshot for one in publisher.releases]
    distinct = [one.snapshot for one in moved]
    return Ran(tallies=tallies, live=watched(Ours("after every event"), one_by_one(events)[:LIVE]),
               quiet=watched(still, quiet(seed)), knowers=knowers, found=_hidden(moved, rng, programs),
               releases=len(snapshots), moved=len(moved),
               counted={table: sum(table in one.counts for one in moved) for table in COUNTS}, held=len(publisher.held),
               k_published=min(map(k_of, distinct), default=0), k_behind=k, off_by=max(map(off_by, snapshots), default=0),
               late=max(publisher.latest, still.latest),
               small_steps=[wrong for one, other in combinations(distinct, 2) for wrong in small_steps(one, other)],
               small_marks=small_marks(publisher.releases))


def _hidden(moved: Sequence[Moved], rng: random.Random, programs: int) -> list[Found]:
    found: list[Found] = []
    for end in rng.sample(range(len(moved)), len(moved)):
        if len(found) >= programs:
            break
        window = [one for one in moved[:end + 1] if one.snapshot.number > moved[end].snapshot.number - WINDOW]
        before = [one.snapshot for one in moved[:end + 1 - len(window)]]
        found += ranges(window, before, rng, min(PER_PROGRAM, programs - len(found)))
    return found


def main(arrivals: int = 20_000, releases: int = 300, seed: int = 1, programs: int = 200,
         written: Annotated[Path | None, typer.Option("--json")] = None) -> None:
    """Runs the simulation and prints what was found."""
    began = time.monotonic()
    events = history(seed, arrivals, releases)
    live = one_by_one(events)
    ways = {
        "exact, after every event": watched(Simple("exact"), live),
        "k = 10, after every event": watched(Simple("k", K), live),
        "k = 10, rounded to 5, after every event": watched(Simple("k5", K, 5), live),
        "exact, at each release": watched(Simple("exact"), events),
        "k = 10, rounded to 5, at each release": watched(Simple("k5", K, 5), events),
    }
    ran, ages = ours(events, seed, programs), exact_ages(events)
    ways |= {f"snapshots, after every event, {LIVE} events": ran.live, "snapshots, one comes while ten change": ran.quiet,
             "snapshots": ran.tallies}
    report = {**made(), "seed": seed, "arrivals": arrivals, "releases": releases, "events": len(live),
              "ways": _told(ways), "knowing": _knowing(ran.knowers, ages), "snapshots": _snapshots(ran),
              "seconds": round(time.monotonic() - began, 1)}
    report["kept"] = kept = limits(ways, ages, ran)
    _print(ways, report)
    if written:
        written.write_text(json.dumps(report, indent=1) + "\n")
    raise typer.Exit(0 if all(kept.values()) else 1)


def limits(ways: dict[str, dict[str, Tally]], exact: Knowing, ran: Ran) -> dict[str, bool]:
    """Each limit, in words, and whether it is kept."""
    live: list[Tally | Knowing] = [*ways["exact, after every event"].values(), exact]
    return {"exact live figures: certain of over 90 % in each table":
            all(share(one.certain, one.targets) > TELLS for one in live), **of_snapshots(ran)}


def of_snapshots(ran: Ran) -> dict[str, bool]:
    """The limits for our snapshots. Which of them refuses which wrong rule: tests/governance/test_disclosure_wrong_rules.py."""
    return {
        "snapshots: certain of at most 1 % in each table":
            all(share(one.certain, one.targets) <= ALLOWED for one in ran.tallies.values()),
        "snapshots after every event: certain of at most 1 % in each table":
            all(share(one.certain, one.targets) <= ALLOWED for one in ran.live.values()),
        "snapshots, one comes while ten change: certain of at most 1 % in each table":
            all(share(one.certain, one.targets) <= ALLOWED for one in ran.quiet.values()),
        "snapshots: certain of at most 1 % of ages":
            share(ran.knowers.ages_alone.certain, ran.knowers.ages_alone.targets) <= ALLOWED,
        "snapshots: without proof that nobody can be certain at most 2 % in each table":
            all(share(one.certain, one.targets) <= UNPROVED for one in ran.knowers.alone.values()),
        "k is at least 10 in every snapshot": min(ran.k_published, ran.k_behind) >= K,
        "totals are the sums of their lines": ran.off_by == 0,
        "every step between any two snapshots is 0 or at least 10": not ran.small_steps,
        "every step between any two counts behind a figure is 0 or at least 10": not ran.small_marks,
        "no figure is ever more than 18 people late": ran.late <= 2 * LATE,
        "no hidden count can be narrowed": all(one.safe for one in ran.found),
    }


def _told(ways: dict[str, dict[str, Tally]]) -> dict[str, Any]:
    return {way: {table: {**asdict(one), "share": round(share(one.certain, one.targets), 5)} for table, one in tallies.items()}
            for way, tallies in ways.items()}


def _knowing(knowers: Knowers, exact: Knowing) -> dict[str, Any]:
    def told(one: Knowing) -> dict[str, float]:
        return {**asdict(one), "share": round(share(one.certain, one.targets), 5)}

    return {"nobody (upper bound: nobody to exchange with)": {table: told(one) for table, one in knowers.alone.items()},
            "all but nine (upper bound: none of them to exchange with)":
                {table: told(one) for table, one in knowers.but_nine.items()},
            "all but the target, at that release (lower bound: later ones may tell more)":
                {table: told(one) for table, one in knowers.but_one.items()},
            "exact live average age, nobody, ten-year band": told(exact),
            "average age, nobody, ten-year band": told(knowers.ages_alone),
            "average age, all but the target, ten-year band, by step": {str(step): told(one)
                                                                         for step, one in knowers.ages.items()}}


def _snapshots(ran: Ran) -> dict[str, Any]:
    widths = sorted(one.high - one.low for one in ran.found)
    return {"releases": ran.releases, "moved": ran.moved, "counted": ran.counted, "held": ran.held,
            "k_published": ran.k_published, "k_behind": ran.k_behind, "off_by": ran.off_by, "late": ran.late,
            "small_steps": len(ran.small_steps), "small_marks": len(ran.small_marks), "hidden_counts": len(ran.found),
            "narrowed": sum(not one.safe for one in ran.found), "narrowest": widths[0] if widths else None}


def _print(ways: dict[str, dict[str, Tally]], report: dict[str, Any]) -> None:
    console = Console()
    shown = Table("published", *COUNTS, title="certain of the target's category (and: right when betting on the only figure)")
    for way, tallies in ways.items():
        shown.add_row(way, *(f"{share(one.certain, one.targets):.2%}  ({share(one.right, one.targets):.1%} of all, "
                             f"{share(one.right, one.bold):.0%} of bets)" for one in tallies.values()))
    console.print(shown)
    knowing = Table("the watcher knows", "certain of", "of", "share", title="watchers of snapshots who know people")
    for who, found in report["knowing"].items():
        for table, one in found.items() if "share" not in found else [("", found)]:
            knowing.add_row(f"{who} {table}", str(one["certain"]), str(one["targets"]), f"{one['share']:.2%}")
    console.print(knowing)
    console.print(report["snapshots"])
    for limit, is_kept in report["kept"].items():
        console.print(f"{'kept    ' if is_kept else 'NOT KEPT'} {limit}")
    console.print(f"{report['seconds']} s")


if __name__ == "__main__":
    typer.run(main)

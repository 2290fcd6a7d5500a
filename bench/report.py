"""What benches say: percentiles, shares of a limit, tables for people and JSON to keep. Pure but for `keep` and `say`."""

import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from bench.made import made

LOAD_BEFORE = os.getloadavg()[0]
"""Programs that wanted a processor before the bench began, by the mean of a minute: of others, who take theirs meanwhile."""

ENOUGH = 0.95
"""What part of a rate has to come, or what is measured is of something else."""

IDLE = 0.25
"""Load by processor up to which a machine is the bench's own."""


def say(text: str) -> None:
    """Says how far a bench is, with the time, beside what it prints in the end."""
    typer.echo(f"{datetime.now(UTC):%H:%M:%S} {text}", err=True)


def percentiles(values: Sequence[float], wanted: Iterable[int] = (50, 95, 99), digits: int = 3) -> dict[str, float]:
    """`p50` and so on of some values, interpolated between neighbours; empty of none."""
    if not values:
        return {}
    hundredths = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return {f"p{one}": round(hundredths[one - 1], digits) for one in wanted}


def one_after_the_other(ceilings: Iterable[float]) -> float:
    """People a second through several steps of which one runs at a time, each at its own ceiling (people a second)."""
    return 1 / sum(1 / ceiling for ceiling in ceilings)


def share(measured: float, ceilings: Iterable[float]) -> float:
    """What a measured rate is of what its steps allow one after the other; 1.0 is all of it."""
    return measured / one_after_the_other(ceilings)


def growth(before: Sequence[float], after: Sequence[float]) -> float | None:
    """How much the median grew, as a share of what it was: 0.1 is a tenth more. None where something came of nothing."""
    was, now = (statistics.median(values) if values else 0.0 for values in (before, after))
    if not was:
        return None if now else 0.0
    return round(now / was - 1, 3)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as it stands in docs/operating.md; whole numbers and rates from 100 on with commas, `None` as a dash."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def keep(report: Mapping[str, Any], path: Path | None) -> None:
    """Prints a report as JSON, with when and on what it was made, and writes it to a file if there is one."""
    of = made()
    load = {"load_before": round(LOAD_BEFORE, 1), "load_at_the_end": round(os.getloadavg()[0], 1),
            "others_before": LOAD_BEFORE / of["cores"] > IDLE}
    if load["others_before"]:
        say(f"others used this machine (load {LOAD_BEFORE:.1f} on {of['cores']} cores before): these figures say what it then "
            "did, not what it can")
    text = json.dumps({**of, **load, **report}, indent=1)
    typer.echo(text)
    if path:
        path.write_text(text + "\n")

"""People a second from a full topic to rows and aggregates, beside what each step of it can do alone.

    python -m bench.flow --people 300000 --json docs/proofs/flow.json        (make proof-flow)
    python -m bench.flow --people 5000 --warm 5000                           (to try it)

An installation of its own. The stream is started on people who wait, once as new and once after it had been stopped; then it
is warmed up, held still while the topic fills with new people, with people it has, and with a mix, and let go each time
(bench/watching.py). `rollcall verify` compares everything; then each step is measured alone on the same records
(bench/ceilings.py). `share` is the measured rate as part of what four steps allow one after the other at their ceilings;
`share_of_all_steps` counts the other two, too, and `share_of_steps_taken` those that the stream takes of these people: it looks
nobody up who is surely new, and no markers. `hops`: what each of the four did in the stream as part of its ceiling. Where one
did more (it asks for fewer people, say), that is what it is taken to allow: a ceiling that is too low would flatter the share.
"""

from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from bench.ceilings import ALL_STEPS, STEPS, Ceilings
from bench.installation import Installation, for_speed
from bench.people import People, spark_of, synthetic
from bench.report import keep, one_after_the_other, say, share, table
from bench.watching import Timed, Watch

FLOORS = {"new": 7000.0, "updates": 4500.0}
"""People a second that are promised."""

SHARE, COLD_S = 0.8, 25.0

STEP_OF = {"parse": "read", "rows_before": "rows_before", "aggregates": "aggregates", "rows": "rows"}
"""What the stream calls the step of a ceiling; its `rows` seal, too."""

TAKEN = {"new": ("parse", "aggregates", "seal", "rows"), "updates": (*STEPS, "seal")}


def main(
    people: Annotated[int, typer.Option(help="New people; updates and the mix are a third of them each.")] = 300_000,
    warm: Annotated[int, typer.Option(help="People before it is measured, half of them sent twice.")] = 80_000,
    waiting: Annotated[int, typer.Option(help="People that wait when the stream is started.")] = 5_000,
    alone: Annotated[int, typer.Option(help="Records that each step is measured alone on.")] = 100_000,
    as_json: Annotated[Path | None, typer.Option("--json", help="File the report is written to.")] = None,
) -> None:
    """Measures; exit 1 if a floor or the share is missed, the start is too slow, or verify finds anything."""
    with for_speed("flow", say) as one, spark_of(one) as spark:
        report = run(one, People(one.settings, spark, synthetic()), spark, people, warm, waiting, alone)
    typer.echo(told(report))
    keep(report, as_json)
    raise typer.Exit(0 if kept(report) else 1)


def run(one: Installation, crowd: People, spark: Any, people: int, warm: int, waiting: int, alone: int) -> dict[str, Any]:
    """Measures everything on running servers."""
    with Watch(one) as watch:
        starts = {name: cold(one, watch, crowd, name, waiting) for name in ("first start", "cold start")}
        say("warming up")
        crowd.send(crowd.records("warm", warm))
        watch.all_read()
        crowd.send(crowd.records("warm", warm // 2, version=1))
        watch.all_read()
        third = max(1, people // 3)
        # of those who are rows, every third one; the rest of the mix is new, or says again what was said
        mix = (crowd.records("mix", third // 2), crowd.records("new", third // 3, first=1, every=3, version=2),
               crowd.records("new", third // 6, first=2, every=3))
        sent = {"new": (crowd.records("new", people),),
                "updates": (crowd.records("new", third, every=3, version=1),), "mix": mix}
        timed: dict[str, Timed] = {}
        for name, records in sent.items():
            say(f"{name}: filling the topic")
            timed[name] = watch.timed(lambda records=records: crowd.send(*records))    # type: ignore[misc]
            say(f"{name}: {timed[name].rate:,.0f} a second, {timed[name].steps}")
    one.processes.stop("stream")
    said = one.verified()
    ceilings = {}
    for name in FLOORS:
        say(f"{name}: each step alone")
        ceilings[name] = Ceilings(one.settings, spark, timed[name].ends, name == "new", alone).measured()
    return {
        "people": people, "batch": one.settings.stream.max_offsets_per_trigger, "starts": starts,
        "verify": {name: said[name] for name in ("ok", "exit", "records", "rows", "counted")},
        "flow": {name: {**(told := phase.told()), **against(name, told, ceilings.get(name))} for name, phase in timed.items()}}


def cold(one: Installation, watch: Watch, crowd: People, name: str, waiting: int) -> dict[str, float]:
    """Starts the stream on people that wait and stops it: seconds from its start until one of them, and all, were rows."""
    before = watch.total("new")
    crowd.send(crowd.records(name, waiting))
    began, found = watch.started(), {}
    for what, rows in (("first_row_s", 1), ("all_rows_s", waiting)):
        one.until(f"{name}: {rows} people are rows", lambda rows=rows: watch.total("new") >= before + rows,    # type: ignore[misc]
                  every_s=0.1)
        found[what] = round(monotonic() - began, 1)
    say(f"{name}: {found}")
    if name == "first start":    # well, once: engine/spark/archive.py
        one.processes.stop("stream")
    return {"waiting": waiting, **found}


def against(name: str, phase: dict[str, Any], ceilings: dict[str, float] | None) -> dict[str, Any]:
    """A phase (Timed.told) beside the ceilings of its steps; nothing where they were not measured."""
    if ceilings is None:
        return {}
    rate, batch = phase["records_a_second"], phase["records"] / phase["turns"]
    did = {step: batch / taken for step, called in STEP_OF.items() if (taken := phase["step_s"].get(called))}
    allow = {step: max(ceiling, did.get(step, 0.0)) for step, ceiling in ceilings.items()}
    return {"ceilings": ceilings, "hops": {step: round(done / ceilings[step], 3) for step, done in did.items()},
            "limit": round(one_after_the_other(allow[step] for step in STEPS), 1),
            "share": round(share(rate, [allow[step] for step in STEPS]), 3),
            "share_of_all_steps": round(share(rate, [allow[step] for step in ALL_STEPS]), 3),
            "share_of_steps_taken": round(share(rate, [allow[step] for step in TAKEN[name]]), 3)}


def kept(report: dict[str, Any]) -> bool:
    """Whether what is promised was measured."""
    flow = report["flow"]
    fast = all(flow[name]["records_a_second"] >= floor and flow[name]["share"] >= SHARE for name, floor in FLOORS.items())
    return bool(fast and report["verify"]["exit"] == 0 and report["starts"]["cold start"]["all_rows_s"] <= COLD_S)


def told(report: dict[str, Any]) -> str:
    """The report as tables."""
    flow = report["flow"]
    rates = table(
        ("", "records", "records/s", "seconds a batch, p50", "limit of its steps", "share", "share of all steps",
         "share of those taken"),
        ((name, one["records"], one["records_a_second"], one["turn_s"].get("p50"), one.get("limit"), one.get("share"),
          one.get("share_of_all_steps"), one.get("share_of_steps_taken")) for name, one in flow.items()))
    steps = table(("seconds of a batch", *flow), (
        (step, *(one["step_s"].get(step) for one in flow.values())) for step in next(iter(flow.values()))["step_s"]))
    alone = table(("records/s of a step alone", *FLOORS, *(f"{name}: share of it in the stream" for name in FLOORS)), (
        (step, *(flow[name]["ceilings"][step] for name in FLOORS), *(flow[name]["hops"].get(step) for name in FLOORS))
        for step in ALL_STEPS))
    starts = table(("start of the stream", "people waiting", "first row, s", "all rows, s"), (
        (name, *one.values()) for name, one in report["starts"].items()))
    return "\n\n".join((rates, steps, alone, starts))


if __name__ == "__main__":
    typer.run(main)

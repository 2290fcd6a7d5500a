"""The write order through crashes after any single write, and that this test can tell a wrong order from the right one."""

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import find, given, settings

from engine.settings import CLONE
from engine.writer.write_order import WriteOrder
from tests.histories.many import cut_down, differs, failed, failed_of, first_caught, told
from tests.histories.steps import Step, drawn, histories
from tests.histories.world import PRODUCT, Design, run
from tests.histories.wrong import OURS, RIGHT, WRONG, EmptiedInPlace
from tests.proof import Proof

HISTORIES, QUICK = 20_000, 1_500
KEPT = CLONE / "docs" / "proofs" / "histories.json"
RARE = ("early_recount", "no_wait", "marker_by_arrival", "no_lease", "nulls_after_lift", "no_fence",
        "looks_once", "late_inserts")
"""Caught by one history in hundreds or thousands: a usual run begins with the one that the last proof found."""
SHORT = 6    # steps


def test_histories_are_exact() -> None:
    assert told(failed(range(QUICK))) == ""


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.proof if name == "design" else ()) for name in RIGHT])
def test_many_histories_are_exact(name: str, proof: Proof) -> None:
    """Those of the design itself are looked at by each run (`test_histories_are_exact`), 20,000 of them by a proof."""
    count, began = HISTORIES if proof.path else QUICK, time.perf_counter()
    wrong = failed_of(count, RIGHT[name])
    proof.add(name, histories=count, exact=count - len(wrong), seconds=round(time.perf_counter() - began, 1))
    assert told(wrong, RIGHT[name]) == ""


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [*WRONG, *OURS])
def test_each_wrong_order_is_caught(name: str, proof: Proof) -> None:
    design = {**WRONG, **OURS}[name]
    first = 0 if proof.path or name not in RARE else kept()[f"wrong_{name}"]["seed"]
    caught = first_caught(range(first, HISTORIES), design)
    assert caught is not None, f"{HISTORIES} histories do not tell {name} from the product"
    steps = cut_down(caught.seed, design)
    proof.add(f"wrong_{name}", seed=caught.seed, verdict=caught.verdict, steps=[str(step) for step in steps])
    assert len(steps) < len(drawn(caught.seed, design.clock_steps)) / 2
    assert differs(steps, design)


def kept() -> dict[str, Any]:
    """What the last proof found."""
    found: dict[str, Any] = json.loads(KEPT.read_text())
    return found


def test_a_failing_history_is_told_by_its_seed_and_the_steps_it_takes() -> None:
    design = WRONG["rows_first"]
    seeds = range(10, 50)    # of which the first comes down to a crash
    said = told(failed(seeds, design), design)
    seed = first_caught(seeds, design)
    assert seed is not None
    assert f"of seeds {seed.seed} (aggregates differ from a recount)" in said
    assert said.count("\n    ") <= SHORT
    assert "work(crash=" in said


def test_documents_of_nobody_are_ended_under_a_new_epoch() -> None:
    """Else what a paused writer inserts in their place counts, once it wakes up; hardly one drawn history in thousands comes to
    that, so here it is by hand."""
    work = Step("work", {"crash": None, "how": "killed", "luck": 0})
    in_place, verdicts = Design(order=EmptiedInPlace), []
    for at in range(14):    # before each of its writes in turn
        steps = [Step("person", {"who": 0, "elsewhere": False, "nat": "A", "gender": "female", "month": "1990-01",
                                 "domain": "x.org", "later": 1}),
                 Step("pause", {"at": at, "luck": 0}), work,
                 Step("command", {"verb": "erase", "who": 0, "pins": 0, "back": 3, "later": 1}), work, Step("wake", {})]
        assert run(steps) == "exact"
        verdicts.append(run(steps, in_place))
    assert "aggregates differ from a recount" in verdicts


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(histories())
def test_histories_of_any_steps_in_any_order_are_exact(steps: Sequence[Step]) -> None:
    assert run(steps) == "exact"


def test_hypothesis_finds_a_wrong_order_and_cuts_its_history_down() -> None:
    found = find(histories("person", "command", "work"), lambda steps: run(steps, WRONG["no_stamp"]) != "exact",
                 settings=settings(max_examples=2000, derandomize=True, database=None, deadline=None))
    print(*found, sep="\n")
    assert len(found) <= SHORT
    assert found[-1].name == "work"
    assert run(found) == "exact"


def test_the_histories_run_the_products_own_class() -> None:
    assert PRODUCT.order is WriteOrder

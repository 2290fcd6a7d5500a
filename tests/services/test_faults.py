"""The short form of `make proof-faults`: a few faults on real processes, on an installation of its own.

It takes minutes all the same, so `make proof-services` runs it; `make test` has kills and outages one by one (test_flow,
test_single_writer, test_outages)."""

from pathlib import Path

import pytest

from bench.faults import KINDS, plan, run, table

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

SHORT = ["stop mongo", "kill stream"]


@pytest.mark.proof
def test_nothing_is_lost_or_counted_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_HOME", "set by the run, and back again after the test")
    said: list[str] = []
    report = run(tmp_path / "var", SHORT, 7, 60.0, said.append, stopped_s=12.0)
    assert [fault.kind for fault in report.faults] == SHORT
    assert (report.lost, report.double, report.findings, report.mismatches) == (0, 0, [], 0), said
    assert report.rows > 1000
    assert report.dead_letters >= report.garbage > 0    # one whose acknowledgement was lost is sent again
    assert report.ok
    assert "| kill stream | 1 |" in table(report)


def test_the_plan_has_every_kind_and_is_the_same_for_the_same_seed() -> None:
    assert sorted(plan(3, 1, 0)) == sorted(KINDS * 3)
    assert plan(3, 1, 0) == plan(3, 1, 0) != plan(3, 2, 0)
    assert plan(0, 1, 120)[0] == "outage cassandra 120"

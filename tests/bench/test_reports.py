"""What benches work out of what they measured, without measuring anything: percentiles, shares, growth, tables, promises."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bench import flow, growth, latency, peers, report, soak, startup
from bench.made import commit
from bench.peer_findings import PATHS, Truth, garbled, in_clear, truth
from bench.report import growth as grew
from bench.report import keep, one_after_the_other, percentiles, share, table
from bench.watching import Timed, mean_steps
from engine.spark.small_batch import FEW


def test_percentiles_lie_between_the_values() -> None:
    assert percentiles([float(n) for n in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([1.0, 2.0], (50,)) == {"p50": 1.5}
    assert percentiles([3.0], (50, 99)) == {"p50": 3.0, "p99": 3.0}
    assert percentiles([]) == {}
    assert percentiles([2.0, 1.0, 4.0, 3.0], (50,)) == {"p50": 2.5}, "in any order"


def test_steps_one_after_the_other_are_slower_than_the_slowest() -> None:
    assert one_after_the_other([10_000.0, 10_000.0]) == pytest.approx(5_000)
    assert one_after_the_other([20_000.0, 5_000.0]) == pytest.approx(4_000)
    assert share(4_000, [20_000.0, 5_000.0]) == pytest.approx(1.0)
    assert share(3_000, [20_000.0, 5_000.0]) == pytest.approx(0.75)


def test_growth_is_a_share_of_what_was() -> None:
    assert grew([100.0], [110.0]) == pytest.approx(0.1)
    assert grew([90.0, 100.0, 900.0], [50.0]) == pytest.approx(-0.5), "medians"
    assert grew([0.0], [1.0]) is grew([], [1.0]) is None, "no share, and no zero either"
    assert grew([0.0], [0.0]) == 0.0


def test_a_table_is_one_of_the_documents() -> None:
    made = table(("what", "n"), [("people", 300_000), ("share", 0.8123), ("rate", 7012.4), ("right", True), ("none", None)])
    assert made.splitlines() == [
        "| what | n |", "| --- | --- |", "| people | 300,000 |", "| share | 0.812 |", "| rate | 7,012 |", "| right | yes |",
        "| none | - |"]


def test_a_report_says_when_and_on_what_it_was_made(tmp_path: Path) -> None:
    keep({"people": 3}, tmp_path / "one.json")
    kept = json.loads((tmp_path / "one.json").read_text())
    assert kept["people"] == 3
    assert kept.keys() == {
        "made", "commit", "cores", "python", "load_before", "load_at_the_end", "others_before", "people"}
    assert kept["commit"] == commit()


def test_a_report_of_a_busy_machine_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for load, said in ((0.1, False), (99.0, True)):
        monkeypatch.setattr(report, "LOAD_BEFORE", load)
        keep({}, None)
        assert ("others used this machine" in capsys.readouterr().err) == said


def test_what_lies_between_the_steps_of_turns_is_told() -> None:
    turns = [{"seconds": {"rows": 1.0, "read": 0.5}}, {"seconds": {"rows": 2.0}}]
    assert mean_steps(turns, 5.0) == {"rows": 1.5, "between": 0.75, "read": 0.25}
    assert mean_steps([], 5.0) == {}


PHASE: dict[str, Any] = {"records": 8_000, "records_a_second": 8_000.0, "turns": 1, "turn_s": {"p50": 1.0},
                         "step_s": {"rows": 0.6}}
CEILINGS = {"parse": 40_000.0, "rows_before": 40_000.0, "aggregates": 40_000.0, "rows": 40_000.0, "markers": 20_000.0,
            "seal": 20_000.0}


def test_a_rate_is_measured_by_the_ceilings_of_its_own_steps() -> None:
    assert flow.against("new", PHASE, CEILINGS) == {
        "ceilings": CEILINGS, "hops": {"rows": 0.333}, "limit": 10_000, "share": 0.8, "share_of_all_steps": 1.6,
        "share_of_steps_taken": 1.0}
    assert flow.against("updates", PHASE, CEILINGS)["share_of_steps_taken"] == 1.2
    assert flow.against("new", PHASE, None) == {}


def test_a_step_is_taken_to_allow_what_the_stream_did_of_it() -> None:
    quick = flow.against("new", {**PHASE, "step_s": {"read": 0.1, "rows": 0.6}}, CEILINGS)
    assert quick["hops"]["parse"] == 2.0
    assert quick["limit"] == pytest.approx(one_after_the_other([80_000.0, 40_000.0, 40_000.0, 40_000.0]), abs=0.1)
    assert quick["share"] == 0.7


def flow_report(**changes: Any) -> dict[str, Any]:
    """A report of a flow that keeps what is promised."""
    one = {**PHASE, **flow.against("new", PHASE, CEILINGS)}
    starts = {name: {"waiting": 5_000, "first_row_s": 12.0, "all_rows_s": 20.0} for name in ("first start", "cold start")}
    phases = {"new": one, "updates": one, "mix": {**one, "share": None}}
    return {"flow": phases, "starts": starts, "verify": {"exit": 0}} | changes


def test_a_flow_keeps_its_promises_or_not() -> None:
    good = flow_report()
    assert flow.kept(good)
    slow = {**good["flow"], "updates": {**good["flow"]["updates"], "records_a_second": 4_499.0}}
    low = {**good["flow"], "new": {**good["flow"]["new"], "share": 0.79}}
    late = {**good["starts"], "cold start": {"all_rows_s": 25.1}}
    assert not any(map(flow.kept, (flow_report(flow=slow), flow_report(flow=low), flow_report(starts=late),
                                   flow_report(verify={"exit": 1}))))
    said = flow.told(good)
    assert "| new | 8,000 | 8,000 | 1 | 10,000 | 0.8 | 1.6 | 1 |" in said
    assert "| cold start | 5,000 | 12 | 20 |" in said
    assert "| parse | 40,000 | 40,000 | - | - |" in said
    assert "| rows | 40,000 | 40,000 | 0.333 | 0.333 |" in said


def test_latency_is_promised_at_one_rate_alone() -> None:
    good = {"row_s": {"p95": 2.9}, "aggregate_s": {"p95": 3.0}, "unseen": 0, "came_a_second": 950.0}
    assert latency.kept({"rates": {"1000": good, "4000": {**good, "row_s": {"p95": 90.0}}}})
    assert latency.kept({"rates": {"100": {**good, "unseen": 3}}})
    assert not latency.kept({"rates": {"1000": {**good, "unseen": 1}}})
    assert not latency.kept({"rates": {"1000": {**good, "aggregate_s": {"p95": 3.1}}}})
    assert not latency.kept({"rates": {"1000": {**good, "came_a_second": 949.0}}})


def test_cassandra_has_merged_when_nothing_is_pending() -> None:
    said = "concurrent compactors            1\npending tasks                    {}\ncompactions completed            24\n"
    assert growth.nothing_pending(said.format(0))
    assert not growth.nothing_pending(said.format(3))
    assert not growth.nothing_pending("pending tasks: 10\n- rollcall.profiles: 10\n")
    with pytest.raises(AssertionError, match="does not name pending tasks"):
        growth.nothing_pending("compactions completed 0\n")


def test_growth_is_from_the_quickest_of_the_smaller_sizes_to_the_largest() -> None:
    flat = {kind: {"p50": 0.1} for kind in growth.READ}
    sizes = {str(size): {**flat, "new": {"batch_s": new}, "updates": {"batch_s": updates}}
             for size, new, updates in ((10_000, 1.0, 1.0), (300_000, 9.0, 9.0), (2_000_000, 1.3, 1.6))}
    said = {"sizes": sizes, "verify": {"exit": 0}}
    assert growth.grown(said, "updates") == 1.6
    assert growth.kept(said)
    sizes["2000000"]["page_s"] = {"p50": 0.16}
    assert not growth.kept(said), "pages take longer"
    sizes["2000000"]["page_s"] = {"p50": 0.15}
    sizes["2000000"]["new"]["batch_s"] = 1.31
    assert not growth.kept(said)
    sizes["300000"]["updates"]["batch_s"] = 0.5
    assert growth.grown(said, "updates") == 3.2


def test_a_batch_that_is_not_full_is_not_compared_with_one_that_is() -> None:
    turns = [{"counts": {"read": read}, "seconds": {"rows": rows, "read": 1.0}, "behind": behind}
             for read, rows, behind in ((95, 2.0, FEW), (100, 4.0, FEW), (50, 9.0, FEW), (100, 90.0, FEW - 101))]
    phase = Timed(245, 10.0, turns, ({}, {}))
    assert growth.batched([phase], 100) == {"batches": 2, "batch_s": 4.0, "records_a_second": 24.5,
                                            "step_s": {"read": 1.0, "rows": 3.0}}
    with pytest.raises(AssertionError, match="no batch of Spark's was nearly full"):
        growth.batched([phase], 1000)


def samples() -> list[dict[str, Any]]:
    """Ten minutes in which the stream, once it is warm, grows by a fifth and the view not at all."""
    return [{"at_s": at, "memory_mb": {"stream": 40.0 if at < 200 else 100.0 if at < 300 else 120.0, "view": 50.0}}
            for at in range(0, 600, 10)]


def test_memory_is_compared_from_a_third_on() -> None:
    found = soak.grown(samples(), 200)
    assert found["stream"] == {"mb": 100.0, "mb_at_the_end": 120.0, "growth": 0.2}
    assert found["view"]["growth"] == 0.0
    late = [one | {"memory_mb": one["memory_mb"] | ({"late": 9.0} if one["at_s"] > 500 else {})} for one in samples()]
    assert soak.grown(late, 200)["late"]["growth"] is None
    late[-1] = late[-1] | {"memory_mb": late[-1]["memory_mb"] | {"passing": 9.0}}
    assert soak.grown(late, 200)["passing"]["growth"] == 0.0, "a program that was there for a moment"


def test_a_folder_is_as_large_as_what_it_takes_on_disk(tmp_path: Path) -> None:
    with (tmp_path / "0.index").open("wb") as holes:
        holes.truncate(10 * 2**20)
    (tmp_path / "0.log").write_bytes(b"x" * 2**20)
    assert soak.sized(tmp_path) == (2, 1.0)


def test_a_soak_keeps_its_promises_or_not() -> None:
    good = {"memory": {"stream": {"growth": 0.1}}, "verify": {"exit": 0, "erased": 5}, "behind_at_the_end": 20_000,
            "behind": {"p95": 20_000}, "rate": 2000.0, "read_a_second": 1900.0, "started_again": [], "minutes": 30.0,
            "samples_missed": 18}
    assert soak.kept(good)
    again = soak.started_again([{"began": {"stream": "1", "view": "1"}}, {"began": {"stream": "2", "view": "1"}}])
    assert again == ["stream"]
    for wrong in ({"memory": soak.grown(samples(), 200)}, {"verify": {"exit": 1, "erased": 5}}, {"behind_at_the_end": 20_001},
                  {"started_again": again}, {"behind": {"p95": 20_001}}, {"read_a_second": 1899.0},
                  {"samples_missed": 19}, {"memory": {"new": {"growth": None}}}, {"verify": {"exit": 0, "erased": 0}}):
        assert not soak.kept(good | wrong)


def test_memory_is_told_at_the_moment_of_the_most() -> None:
    mb = 2**20
    found = startup.summed([{"stream": (100 * mb, 90 * mb)}, {"stream": (150 * mb, 80 * mb), "view": (60 * mb, 20 * mb)},
                            {"stream": (160 * mb, 140 * mb)}])
    assert found["whole"] == {"resident": {"median_mb": 160.0, "most_mb": 210.0},
                              "proportional": {"median_mb": 100.0, "most_mb": 140.0}}
    assert found["processes"]["view"] == {"resident_mb": 60.0, "proportional_mb": 20.0}


def startup_report(**changes: Any) -> dict[str, Any]:
    """A report of a start that keeps what is promised."""
    starts = {"from nothing": {"installed": 11.0, "first row": 75.0}, "again": {"first row": 90.0}}
    return {"starts": starts, "rate": 1000.0, "came_a_second": 990.0, "verify": {"exit": 0},
            **startup.summed([{"stream": (5119 * 2**20, 4000 * 2**20)}])} | changes


def test_a_start_keeps_its_promises_or_not() -> None:
    good = startup_report()
    assert startup.kept(good)
    assert "| first row | 75 | 90 |" in startup.told(good)
    assert "| installed | 11 | - |" in startup.told(good)
    assert "| together | 5,119 | 4,000 |" in startup.told(good)
    for wrong in ({"starts": {"from nothing": {"first row": 75.1}}}, {"came_a_second": 949.0}, {"verify": {"exit": 1}},
                  startup.summed([{"stream": (5120 * 2**20, 4000 * 2**20)}])):
        assert not startup.kept(startup_report(**wrong))


PERSON = {"login": {"uuid": "u1"}, "nat": "GB", "name": {"first": "Ann", "last": "O'Hara"}, "email": "ann@mail.example",
          "phone": "015 244", "dob": {"date": "1980-11-30T10:00:00.000Z", "age": 46},
          "location": {"street": {"number": 12, "name": "Mill Road"}, "city": "Ely", "state": "Kent",
                       "country": "United Kingdom", "postcode": "SW1A 1AA"}}


def test_the_truth_of_a_record() -> None:
    one = truth(json.dumps(PERSON).encode())
    assert (one.uuid, one.nat, one.country) == ("u1", "GB", "United Kingdom")
    assert one.address == "12, Mill Road, Ely, Kent, United Kingdom, SW1A 1AA"
    assert (one.age(date(2026, 11, 29)), one.age(date(2026, 11, 30))) == (45, 46)


def test_what_stands_in_clear_is_found() -> None:
    one = truth(json.dumps(PERSON).encode())
    other = Truth("u2", "FR", "France", date(1970, 1, 1), "", {"name": "Eve Roy"})
    by_uuid = {"u1": one, "u2": other}
    stored: list[dict[str, Any]] = [{"id": "u1", "full_name": "Ann O'Hara", "note": b"ann@mail.example"},
                                    {"id": "u2", "full_name": "Ann O'Hara"}]
    assert in_clear(stored, PATHS["b1"], by_uuid) == {"e-mail": 0.5, "name": 0.5}, "another's name is not hers"
    assert in_clear([{"dob_date": date(1980, 11, 30)}], PATHS["a"], by_uuid) == {"birth date": 1.0}
    assert in_clear([{"id": "u1", "full_name": b"\x00\x01"}], PATHS["b1"], by_uuid) == {}


def test_names_of_java_objects_are_garbled_values() -> None:
    assert garbled([{"email": "[B@1f2e3d"}, {"email": "ann@mail.example", "n": 3}]) == 0.5
    assert garbled([]) == 0.0


def peers_report() -> dict[str, Any]:
    """A report of peers in which ours keeps what is promised."""
    some: dict[str, Any] = {"people": 10, "rows": 10, "documents": None, "lost": 0, "wrong_ages": 0.0,
                            "wrong_addresses": None, "garbled": 0.0, "figures_right": True, "figures_s": 0.01, "in_clear": {}}
    theirs = {**some, "documents": 20, "in_clear": {"name": 1.0}}
    return {"ours": {"people_a_second": 7_500.0, "first": some, "after": some, "verify": 0},
            "b2": {"people_a_second": 5_000.0, "first": theirs, "after": theirs},
            "a": {"people_a_second": 1.1, "first": theirs, "after": theirs}}


def test_ours_must_be_exact_and_faster() -> None:
    good = peers_report()
    assert peers.kept(good)
    assert "| Rollcall | 7,500 | 10 | - | 10 | - | yes | yes | 0.01 |" in peers.told(good)
    assert "| B2, text and one parse | 10 | 0 | 0 | - | 0 | name 100 % |" in peers.told(good)
    for name, wrong in (("ours", {"people_a_second": 7_499.0}), ("ours", {"verify": 1}), ("a", {"people_a_second": 7.6}),
                        ("ours", {"after": {**good["ours"]["after"], "rows": 20}}),
                        ("ours", {"first": {**good["ours"]["first"], "in_clear": {"name": 0.1}}})):
        assert not peers.kept(good | {name: good[name] | wrong})

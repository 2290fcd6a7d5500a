"""The cluster's bench as far as it needs no cluster: what settings say of it, and what follows from figures."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import cluster, sizing
from bench.cluster_servers import COPIES, HOSTS, TOKENS, Cluster
from bench.installation import Installation, settings_toml
from engine.processes import Supervisor
from engine.settings import CLONE, Settings, load
from engine.topics import all_topics

FLOW: dict[str, dict[str, Any]] = {
    "new": {"records_a_second": 4000.0, "turn_s": {"p50": 2.0}, "step_s": {"rows": 1.0}},
    "updates": {"records_a_second": 3000.0, "turn_s": {"p50": 2.5}, "step_s": {"rows": 1.2}}}
VERIFY = {"ok": True, "exit": 0, "records": 200_000, "rows": 100_000, "counted": 100_000}


def side(share: float, copies: int) -> dict[str, Any]:
    """Half of a report: so fast, so many copies."""
    flow = {name: {**phase, "records_a_second": phase["records_a_second"] * share} for name, phase in FLOW.items()}
    return {"master": "local[2]", "flow": flow, "verify": VERIFY, "records": 200_000,
            "stored_mb": {"topic": 100.0 * copies, "rows": 50.0 * copies, "aggregates": 4.0}, "memory_mb": {"stream": 1000.0}}


def report() -> dict[str, Any]:
    """As `python -m bench.cluster --json` writes it."""
    losses = [{"node": name, "behind": 10, "stood_s": 3.0, "recovered_s": 9.0, "whole_s": 20.0} for name in cluster.KILLED]
    found = dict.fromkeys(("records", "people_made", "rows", "garbage", "erased", "lost", "double", "mismatches"), 0)
    return {"made": "2026-11-29T10:00:00Z", "cores": 2, "people": 100_000, "copies": COPIES, "local": side(1.0, 1),
            "cluster": side(0.5, 3), "faults": {"losses": losses, "report": found, "ok": True}}


def test_settings_alone_name_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text(settings_toml(**Cluster(tmp_path).settings))
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    settings = load()
    assert settings.elsewhere.keys() == {"kafka", "cassandra"}
    assert all(settings.elsewhere[name].count(",") == COPIES - 1 for name in settings.elsewhere)
    assert settings.spark.master.startswith(f"spark://{HOSTS[0]}:")
    for topic in all_topics(settings.kafka):
        assert (topic.replication, topic.configs["min.insync.replicas"]) == (COPIES, str(COPIES - 1))


def test_tokens_part_the_ring_evenly() -> None:
    ring = 2 ** 64
    first, *others = sorted(TOKENS)
    gaps = [later - earlier for earlier, later in zip([first, *others], [*others, first + ring], strict=True)]
    assert len(gaps) == COPIES
    assert max(gaps) / min(gaps) == pytest.approx(1.0, rel=0.01), gaps
    assert all(-ring // 2 <= token < ring // 2 for token in TOKENS)


@pytest.mark.parametrize("broken", ["local", "cluster", "faults"])
def test_a_run_is_good_only_if_every_part_is(broken: str) -> None:
    good = report()
    assert cluster.kept(good)
    part = {"verify": {**VERIFY, "exit": 1}} if broken != "faults" else {"ok": False}
    assert not cluster.kept({**good, broken: {**good[broken], **part}})


def test_every_password_and_key_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"current": "k001", "columns": {"k001": "a" * 64}, "email": "b" * 64}))
    for name in ("stream.password", "spark.secret"):
        (tmp_path / name).write_text(f"word of {name}")
    assert cluster.secret_words(tmp_path) == {b"a" * 64, b"b" * 64, b"word of stream.password", b"word of spark.secret"}


def test_both_stand_in_one_table() -> None:
    told = cluster.told(report())
    assert "|  | local | cluster |" in told
    assert "| new, records/s | 4,000 | 2,000 |" in told
    assert "| rows, MB | 50 | 150 |" in told
    assert "| kafka-1 | 10 | 3 | 9 | 20 |" in told


def test_what_a_person_costs() -> None:
    found = sizing.measured(report())
    assert (found.new, found.updates) == (2000.0, 1500.0), "of one core of two"
    assert found.topic == pytest.approx(100 * 2 ** 20 / 200_000)
    assert found.rows == pytest.approx(50 * 2 ** 20 / 100_000)
    assert found.share == {"new": 0.5, "updates": 0.5}
    other = {"made": "2026-11-30T10:00:00Z", "cores": 4, "flow": FLOW}
    assert sizing.measured(report(), other).new == 1000.0, "rates are of the proof of the flow, where there is one"
    assert "flow.json, made 2026-11-30 on 4 cores" in sizing.measured(report(), other).rate_of


def test_sizes_grow_with_people_copies_and_rates() -> None:
    assert sizing.gigabytes(1_000_000, 500, 1) == pytest.approx(0.5 * sizing.ROOM)
    assert sizing.gigabytes(1_000_000, 500, 3) == 3 * sizing.gigabytes(1_000_000, 500, 1)
    assert sizing.cores(2000, 1000) == 4, "half is for what piles up"
    assert sizing.cores(2001, 1000) == 5


def test_tables_take_the_place_of_those_before() -> None:
    marks = [mark.format("sizing") for mark in (sizing.BEGIN, sizing.END)]
    page = "\n\n".join(("# Page", marks[0], "old", marks[1], "rest"))
    made = sizing.filled(page, "sizing", "new")
    assert made == page.replace("old", "new")
    assert sizing.filled(made, "sizing", "new") == made
    with pytest.raises(ValueError, match="no place for cluster"):
        sizing.filled(made, "cluster", "new")


def test_tables_of_sizes_have_a_line_for_each_size_and_rate() -> None:
    made = sizing.tables(sizing.measured(report()))
    for line in (*(f"| {people:,} |" for people in sizing.PEOPLE), *(f"| {rate:,} |" for rate in sizing.RATES)):
        assert f"\n{line}" in made


def test_before_a_proof_the_page_says_so(tmp_path: Path) -> None:
    page = "\n".join(mark.format(name) for name in ("cluster", "sizing") for mark in (sizing.BEGIN, sizing.END))
    assert sizing.of_proofs(page, tmp_path).count(sizing.NOT_YET) == 2
    (tmp_path / "cluster.json").write_text(json.dumps(report()))
    made = sizing.of_proofs(page, tmp_path)
    assert sizing.NOT_YET not in made
    assert "The run of 2026-11-29" in made


def test_what_is_kept_is_no_log(tmp_path: Path, settings: Settings) -> None:
    one = Installation(settings, Supervisor(settings), print)
    for name in ("kafka-1/data/kafka/user_profiles-0/0.log", "worker-1/app-1/0/stderr", "logs/kafka-1.log"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert {path.name for path in cluster.printed(one, Cluster(tmp_path))} == {"stderr", "kafka-1.log"}


def test_the_page_says_what_was_measured() -> None:
    page = (CLONE / "docs" / "scaling.md").read_text()
    assert sizing.of_proofs(page) == page, "run `python -m bench.sizing docs/scaling.md` after a proof"

"""Verdicts, their proof, the page of a package: what is red keeps a request open, and nothing is shown unescaped."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from governance.rights.evidence import Evidence
from governance.rights.page import page
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome, Verdict

AT = datetime(2026, 11, 28, 21, 0, tzinfo=UTC)
VERDICTS = (
    Verdict("mongo", Outcome.ERASED, "counts follow"), Verdict("kafka:people", Outcome.EXPIRES_ON, "compaction", AT),
    Verdict("backups", Outcome.GOVERNED, "their schedule"), Verdict("recipients", Outcome.EXTERNAL, "told", recipient="A Ltd"))
PROOF = Proof("R-1", AT, 1, (3, 5), VERDICTS)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_is_not_erased_keeps_a_request_open(outcome: Outcome) -> None:
    proof = replace(PROOF, verdicts=(*VERDICTS, Verdict("cassandra:profiles", outcome, "so")))
    assert proof.done is (outcome is not Outcome.NOT_ERASED)


def test_a_proof_says_what_is_to_come_and_comes_back_from_json() -> None:
    assert PROOF.waits
    assert not replace(PROOF, verdicts=(VERDICTS[0], *VERDICTS[2:])).waits
    assert Proof.from_json(PROOF.as_json()) == PROOF
    assert VERDICTS[1].said == "expires_on 2026-11-28 21:00 UTC (compaction)"
    assert VERDICTS[3].said == "external_manual by A Ltd (told)"


def test_a_proof_says_erased_everywhere_only_where_nothing_is_left_nor_in_other_hands() -> None:
    everywhere, waits, told = (VERDICTS[0],), VERDICTS[1], VERDICTS[3]
    node = Verdict("cassandra:profiles", Outcome.EXTERNAL, "nodes hold them in files", recipient="who runs Cassandra")
    copies = Verdict("backups", Outcome.EXTERNAL, "snapshots stand")
    assert replace(PROOF, verdicts=(copies, copies)).said.endswith("in other hands: backups")
    for verdicts, said in (
            ((*everywhere, VERDICTS[2], told), "erased everywhere"),
            ((*everywhere, waits, told), "erased; what is still in the topics goes by itself"),
            ((*everywhere, node, copies, told), "erased here; in other hands: cassandra:profiles, backups"),
            ((copies, waits), "erased here; in other hands: backups; what is still in the topics goes by itself"),
            ((copies, waits, Verdict("mongo", Outcome.NOT_ERASED, "away")), "NOT ERASED in mongo")):
        assert replace(PROOF, verdicts=verdicts).said == said


def test_evidence_is_done_when_nothing_is_missing() -> None:
    evidence = Evidence("restrict", "R-1", AT, 7, ("marker",))
    assert evidence.done
    assert not replace(evidence, missing=("row",)).done


def test_a_page_shows_every_value_and_escapes_it() -> None:
    text = page({"uuid": "u", "request": "R-1", "profile": {"full_name": "<script>alert(1)</script>"},
                 "records": [{"value": {"name": {"first": "Ada"}}}], "processing": [{"data": [{"label": "Name"}]}]}, AT)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert '<th scope="row">value.name.first</th><td>Ada</td>' in text
    assert "data 1.label" in text
    assert text.count("Nothing is held.") == 6

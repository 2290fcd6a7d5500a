"""Files that come back: each says on which version it is based, and one that was overtaken is refused with what has changed."""

import json
from typing import Any

import pytest
import yaml

from engine.compliance.breaches import BreachRefused, read_breach
from engine.compliance.forms import READ_BACK, Form
from engine.compliance.register import Kept, RegisterRefused, StaleEdit, news
from engine.compliance.sheets import read, written
from governance.register import NotAnEntry, State, based_on
from governance.sheets.imported import Imported, version_in
from tests.governance.activities import ACCOUNTS, DERIVED, HOSTING, STREAM, VERSIONS, version

FORMS = pytest.mark.parametrize("form", READ_BACK)
ADAS = STREAM.model_copy(update={"department": "Ada's department"})
NOW = {"people-stream": Kept(STREAM.ref, (version(STREAM, 1), version(STREAM, 2), version(STREAM, 3))),
       "console-and-audit": Kept(ACCOUNTS.ref, (version(ACCOUNTS, 1, State.DRAFT),)),
       HOSTING.ref: Kept(HOSTING.ref, (version(HOSTING, 1), version(HOSTING, 2)))}
LATER = {**NOW, STREAM.ref: Kept(STREAM.ref, (*NOW[STREAM.ref].versions, version(ADAS, 4, State.DRAFT)))}


def edited(form: Form, purpose: str) -> bytes:
    """The exported register in which somebody has given the stream another purpose."""
    one = STREAM.model_copy(update={"purpose": purpose})
    return written(form, [version(one), *VERSIONS[1:]], DERIVED)


@FORMS
def test_a_file_says_on_which_versions_it_is_based(form: Form) -> None:
    assert read(form, written(form, VERSIONS, DERIVED), NOW).based_on == {
        STREAM.ref: 3, ACCOUNTS.ref: 1, HOSTING.ref: 2}


def test_the_linked_data_say_it_too() -> None:
    said = json.loads(written(Form.JSON, VERSIONS, DERIVED))
    assert [one["owl:versionInfo"] for one in said["dpv:hasProcess"]] == ["3 (published)", "1 (draft)", "2 (published)"]


@FORMS
def test_what_is_based_on_the_newest_version_is_taken(form: Form) -> None:
    ((one, n),) = news(NOW, read(form, edited(form, "Another purpose"), NOW))
    assert (one.ref, one.purpose, n) == (STREAM.ref, "Another purpose", 3)


@FORMS
def test_what_somebody_has_overtaken_is_refused_with_what_they_changed(form: Form) -> None:
    with pytest.raises(StaleEdit, match="They changed department; you changed purpose") as refused:
        news(LATER, read(form, edited(form, "Another purpose"), LATER))
    assert refused.value.theirs == {"department": (STREAM.department, "Ada's department")}
    assert refused.value.mine == {"purpose": (STREAM.purpose, "Another purpose")}
    assert (refused.value.merged.department, refused.value.merged.purpose) == ("Ada's department", "Another purpose")


@FORMS
def test_an_old_file_in_which_nothing_was_changed_undoes_nothing(form: Form) -> None:
    assert news(LATER, read(form, written(form, VERSIONS, DERIVED), LATER)) == []


def test_a_file_that_does_not_say_it_is_a_new_draft_on_the_newest() -> None:
    mine = STREAM.model_copy(update={"purpose": "Another purpose"})
    assert news(LATER, Imported((mine,), ())) == [(mine, 4)]
    foreign = HOSTING.model_copy(update={"ref": "foreign"})
    assert news(LATER, Imported((foreign,), (), {"foreign": 7})) == [(foreign, 0)], "nobody here has it"


def test_a_version_that_there_is_not_is_refused() -> None:
    with pytest.raises(RegisterRefused, match="based on version 9; there are 4"):
        news(LATER, Imported((STREAM,), (), {STREAM.ref: 9}))


@pytest.mark.parametrize("said", [["people-stream"], {"people-stream": "3"}, {"people-stream": 0}, {"people-stream": True}])
def test_based_on_is_a_number_for_each_entry(said: Any) -> None:
    with pytest.raises(NotAnEntry, match="Under `based_on:` stands the number of a version"):
        based_on(yaml.safe_dump({"entries": [], "based_on": said}))


@pytest.mark.parametrize(("cell", "n"), [("3", 3), ("'3", 3), (" 12 (brouillon)", 12), ("", None), ("draft", None), ("0", None),
                                         ("3x", None)])
def test_the_number_at_the_beginning_of_a_cell(cell: str, n: int | None) -> None:
    assert version_in(cell) == n


BREACH = """
ref: lost-laptop
title: A laptop was left in a train
kinds: [confidentiality]
role: controller
detected_at: 2026-03-27T18:00+01:00
aware_at: 2026-03-27T20:00+01:00
"""


def test_a_breach_says_it_too() -> None:
    assert read_breach(BREACH)[1] is None
    known, n = read_breach(BREACH + "based_on: 2\n")
    assert (known, n) == (read_breach(BREACH)[0], 2)
    with pytest.raises(BreachRefused, match="based_on is the number of a version"):
        read_breach(BREACH + "based_on: yes\n")

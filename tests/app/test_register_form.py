"""A register entry as texts and back: what nobody touched stays as it is, what was typed is read."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import words_law as words
from app.register_form import both_changed, fields_of, plain, shown_of, typed
from governance.register import CONTENT, Entry, changed, entries, entry

FIRST = next(one for one in entries(CONTENT.read_text(encoding="utf-8")) if one.ref == "people-stream")


def odd() -> Entry:
    """An entry with values that have no text of their own: empty lists and texts that must be there, a line break."""
    fields: dict[str, Any] = FIRST.model_dump(mode="json")
    fields["items"][0]["retention"] = []
    fields["items"][1]["retention"][0]["fate"] = ""
    fields["measures"][0]["evidence"] = ""
    fields["software"] = ["one\ntwo", "three"]
    fields["purpose"] = "first line\nsecond line"
    return entry(fields)


def test_what_nobody_touched_stays_byte_for_byte() -> None:
    for one in (FIRST, odd()):
        for texts in (shown_of(one), {}):
            assert entry(typed(one, texts)).model_dump_json() == one.model_dump_json()


def test_one_field_is_changed_and_no_other() -> None:
    one = odd()
    texts = {**shown_of(one), "department": " Another ", "locations": "Paris\n\n Lyon ", "next_review": ""}
    wanted = entry(typed(one, texts))
    assert (wanted.department, wanted.locations, wanted.next_review) == ("Another", ("Paris", "Lyon"), None)
    assert set(changed(one, wanted)) <= {"department", "locations", "next_review"}


def test_a_part_that_was_edited_keeps_what_must_be_there_though_it_is_empty() -> None:
    one = odd()
    shown = shown_of(one)
    wanted = entry(typed(one, {**shown, "items": shown["items"].replace(one.items[0].mask, "another mask", 1),
                               "measures": shown["measures"] + "# read again\n"}))
    assert wanted.items[0].mask == "another mask"
    assert wanted.items[0].retention == ()
    assert wanted.items[1:] == one.items[1:]
    assert wanted.measures == one.measures


def test_a_part_can_be_taken_away() -> None:
    with_dpo = entry({**FIRST.model_dump(mode="json"), "dpo": {"name": "Ada"}})
    assert shown_of(with_dpo)["dpo"] == "name: Ada\n"
    assert entry(typed(with_dpo, {**shown_of(with_dpo), "dpo": ""})).dpo is None


def test_what_is_no_yaml_names_its_field_and_line() -> None:
    with pytest.raises(ValueError, match=r"^measures is no YAML \(line 2\)"):
        typed(FIRST, {**shown_of(FIRST), "measures": "- kind: backup\n- kind: ["})


def test_every_field_but_the_ref_can_be_edited() -> None:
    assert [name for name, _, _ in fields_of(FIRST)] == [name for name in Entry.model_fields if name != "ref"]
    assert {kind for _, kind, _ in fields_of(FIRST)} == {"", words.ONE_A_LINE, words.AS_YAML}


def test_a_value_is_read_by_a_person() -> None:
    assert [plain(value) for value in (None, [], "text", 3, ["a", "b"])] == ["", "", "text", "3", "- a\n- b"]


def test_both_changed_the_same_field_only_where_they_differ() -> None:
    assert both_changed({"a": (1, 2), "b": (1, 2), "c": (1, 2)}, {"a": (1, 3), "b": (1, 2), "d": (1, 2)}) == ["a"]


def two_pages() -> None:
    """A page with a field of a reason, another without it, and a button after which the reason is kept elsewhere."""
    import streamlit as st

    from app.register_form import drop_reason, reason

    if st.checkbox("here", value=True):
        st.text_input("why", key=reason("register", "people-stream"))
    st.button("saved", on_click=drop_reason, args=("register", "people-stream"))


def test_a_reason_stands_there_again_after_another_page_and_is_gone_when_it_was_used() -> None:
    page = AppTest.from_function(two_pages).run()
    page.text_input[0].input("because").run()
    page.checkbox[0].uncheck().run()
    assert not page.text_input
    page.checkbox[0].check().run()
    assert page.text_input[0].value == "because"
    page.button[0].click().run()
    assert page.text_input[0].value == ""

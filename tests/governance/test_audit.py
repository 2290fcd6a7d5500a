"""The chain of the audit: whatever is cut, edited, moved, exchanged or forged is named, and nothing else is."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.audit import DONE, FIRST, Entry, Head, broken, moment

KEY = b"k" * 32
BEGAN = datetime(2026, 11, 28, 9, 0, 0, 123000, tzinfo=UTC)


EDITS: list[dict[str, Any]] = [
    {"who": "bob"}, {"act": "stream.start"}, {"target": ""}, {"result": "refused"}, {"why": ""}, {"previous": "1" * 64},
    {"at": BEGAN}, {"seal": "0" * 64}]


def seal(text: str) -> str:
    """As the key ring does it."""
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def chain(length: int) -> list[Entry]:
    """Entries as they are written one after the other."""
    made: list[Entry] = []
    for n in range(1, length + 1):
        before = made[-1].seal if made else FIRST
        entry = Entry(n, BEGAN + timedelta(seconds=n), "ada", "stream.stop", "stream", DONE, f"reason {n}", before)
        made.append(entry.sealed(seal))
    return made


def head(entries: list[Entry]) -> Head:
    """The newest."""
    return Head(entries[-1].n, entries[-1].seal) if entries else Head()


def said(entries: list[Entry], known: Head) -> list[str]:
    """What is found wrong."""
    return [link.what for link in broken(entries, seal, known)]


@given(st.integers(0, 30))
def test_a_whole_chain_is_whole(length: int) -> None:
    entries = chain(length)
    assert said(entries, head(entries)) == []


@given(st.integers(1, 12), st.data())
def test_any_edit_of_any_field_is_named(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    at = data.draw(st.integers(0, length - 1))
    entries[at] = replace(entries[at], **data.draw(st.sampled_from(EDITS)))
    assert said(entries, head(chain(length)))[0].startswith(f"entry {at + 1} is not as it was written")


@given(st.integers(2, 12), st.data())
def test_any_cut_is_named(length: int, data: st.DataObject) -> None:
    entries, known = chain(length), head(chain(length))
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first, length - 1))
    left = entries[:first] + entries[last + 1:]
    told = said(left, known)[0]
    assert "missing" in told
    assert str(first + 1) in told


def test_two_that_were_exchanged_are_named() -> None:
    entries = chain(4)
    entries[1], entries[2] = replace(entries[2], n=2), replace(entries[1], n=3)
    assert [text.partition(":")[0] for text in said(entries, head(chain(4)))] == [
        "entry 2 is not as it was written", "entry 3 is not as it was written",
        "entry 4 does not follow entry 3"]


def test_one_who_has_the_key_but_not_the_head_cannot_write_another_end() -> None:
    entries, known = chain(3), head(chain(3))
    forged = Entry(3, BEGAN, "eve", "profiles.reveal", "", DONE, "", entries[1].seal).sealed(seal)
    assert said([*entries[:2], forged], known) == ["entry 3 was exchanged since it was written"]


def test_an_entry_that_was_exchanged_with_the_key_no_longer_leads_to_the_next() -> None:
    entries = chain(3)
    entries[0] = replace(entries[0], why="another").sealed(seal)
    assert said(entries, head(chain(3))) == ["entry 2 does not follow entry 1: one of the two was exchanged"]


def test_a_chain_that_went_on_after_the_head_is_whole() -> None:
    assert said(chain(5), head(chain(3))) == []


def test_a_store_that_lost_everything_is_named() -> None:
    assert said([], head(chain(7))) == ["entries 1 to 7 are missing: the chain had reached 7"]


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-5))])
def test_the_seal_holds_in_every_zone(zone: timezone) -> None:
    at = moment(datetime(2026, 11, 28, 9, 0, 0, 123456, tzinfo=UTC).astimezone(zone))
    assert at == BEGAN
    assert replace(chain(1)[0], at=BEGAN.astimezone(zone)).text == replace(chain(1)[0], at=at).text


def test_a_head_that_is_gone_is_named_for_the_end_may_be_cut() -> None:
    assert said(chain(3), Head()) == [
        "the file that remembers the newest entry is gone or damaged: entries after 3 may have been cut"]
    assert said([], Head()) == []

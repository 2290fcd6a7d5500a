"""The Audit page: what a search finds and how far it looked, and the check of the chain as a job."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import audit
from app import words_watching as words
from engine.errors import FolderUnusable, RollcallError, StoreAway
from engine.settings import Settings
from engine.stores.audit import AuditLog, Away, Checked, NotAudited, head_in
from governance.audit import FIRST, Broken, Entry, Head
from tests.app.console_fake import KEYS, NOW, FakeConsole
from tests.app.pages import opened, page_of, placed, said, until

WAITS_S = 30


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """A console of the test's own."""
    return placed(tmp_path, monkeypatch)


def test_a_search_finds_who_act_target_result_why_and_the_number(console: FakeConsole) -> None:
    console.log.append("eve", "profiles.reveal", "person 12", "refused", "no right to it")
    for _ in range(11):
        console.log.append("ada", "stream.stop", "stream", "done")
    test = opened(console, page_of("audit"), "officer")
    for text in ("EVE", "reveal", "person", "Refused", "no right"):
        test.text_input("audit-contains").set_value(text).run()
        assert list(test.dataframe[0].value[words.WHO]) == ["eve"], text
    test.text_input("audit-contains").set_value("12").run()
    assert list(test.dataframe[0].value[words.ENTRY]) == [12, 1], "the twelfth, and the one about person 12"


def test_a_search_does_not_find_what_nobody_wrote(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    def sealed(_: int | None = None) -> Iterator[Entry]:
        yield Entry(1, NOW, "ada", "sign-in", "ada", "done", "", "0" * 64).sealed(lambda _: "beef" * 16)

    monkeypatch.setattr(console.log, "entries", sealed)
    test = opened(console, page_of("audit"), "officer")
    assert len(test.dataframe) == 1
    for text in ("beef", "00", "[1", str(NOW.year)):
        test.text_input("audit-contains").set_value(text).run()
        assert not test.dataframe, text
        assert words.NO_ENTRIES in said(test)


def test_a_search_says_how_far_it_looked(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LOOKED_THROUGH", 4)
    console.log.append("eve", "sign-in", "eve", "done")
    for _ in range(6):
        console.log.append("ada", "sign-in", "ada", "done")
    test = opened(console, page_of("audit"), "officer")
    test.text_input("audit-contains").set_value("eve").run()
    assert not test.dataframe
    assert "entries 7 to 4; Older goes on" in said(test)
    test.button("audit-older").click().run()
    assert list(test.dataframe[0].value[words.WHO]) == ["eve"]
    assert "entries 3 to 1, which is the oldest" in said(test)
    assert test.button("audit-older").disabled


def test_the_chain_is_checked_by_a_job_that_a_page_does_not_wait_for(console: FakeConsole,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def slow(told: Callable[[int], None]) -> Checked:
        told(5000)
        assert goes_on.wait(WAITS_S)
        console.log.append("eve", "flow.read", "", "done")    # after the check, so nobody says that it is whole
        return Checked(1)

    monkeypatch.setattr(console.log, "checked", slow)
    test = opened(console, page_of("audit"), "officer")
    test.button("audit-verify").click().run()
    try:
        until(test, lambda test: words.audit_progress(5000) in said(test))
        assert [entry[3] for entry in console.log.wrote] == ["begun"]
    finally:
        goes_on.set()
    until(test, lambda test: words.audit_whole(1) in said(test))
    assert console.log.wrote[-1][:4] == ("ada", "audit.verify", "audit", "done")


def test_links_that_do_not_hold_are_named_and_those_left_out_are_counted(console: FakeConsole) -> None:
    console.log.broken_links = [Broken(n, f"entry {n} is missing") for n in range(1, 8)]
    test = opened(console, page_of("audit"), "officer")
    test.button("audit-verify").click().run()
    until(test, lambda test: "entry 5 is missing; and 2 more" in said(test))
    assert console.log.wrote[-1][3] == "failed"


def test_what_waits_is_chained_in_before_the_page_says_that_it_waits(console: FakeConsole) -> None:
    console.log.spooled = ["stream.stop", "stream.stop"]
    test = opened(console, page_of("audit"), "officer")
    assert list(test.dataframe[0].value[words.ACT]) == ["stream.stop"] * 2
    assert "wait" not in said(test).replace(words.AUDIT_SEARCH_HELP, "")


@pytest.mark.parametrize("error", [FolderUnusable("state/audit: No space left on device. Make room there."),
                                   StoreAway("Cassandra has not taken the entry in the time there was.", "Cassandra")])
def test_a_page_that_only_reads_reads_although_nothing_can_be_chained_in(console: FakeConsole, error: RollcallError) -> None:
    console.log.append("eve", "sign-in", "eve", "done")
    console.log.spooled, console.log.not_chained = ["stream.stop"], error
    test = opened(console, page_of("audit"), "officer")
    assert words.audit_not_chained(1, str(error)) in [warning.value for warning in test.warning]
    assert list(test.dataframe[0].value[words.WHO]) == ["eve"]
    console.log.not_chained = None
    test.run()
    assert list(test.dataframe[0].value[words.ACT]) == ["stream.stop", "sign-in"]
    assert not [warning for warning in test.warning if str(error) in warning.value]


def test_a_page_gives_what_waits_no_more_than_two_seconds(console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []
    monkeypatch.setattr(console.log, "chain_in", given.append)
    opened(console, page_of("audit"), "officer")
    assert set(given) == {audit.CHAINED_WITHIN_S}
    assert audit.CHAINED_WITHIN_S <= 2


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """The real audit over a Cassandra that is away, with one entry that waits in the file."""
    made = AuditLog(Settings(home=tmp_path), Away(StoreAway("Cassandra does not answer.", "Cassandra")), KEYS)
    made.append_or_keep("ada", "stream.stop", "stream", "done")
    assert made.kept == 1
    return made


def test_chaining_in_waits_for_who_appends_no_longer_than_it_may(log: AuditLog) -> None:
    with log._alone("lock"):
        began = time.monotonic()
        with pytest.raises(StoreAway, match="in the time there was"):
            log.chain_in(0.2)
    assert 0.2 <= time.monotonic() - began < WAITS_S
    assert log.kept == 1


def test_a_folder_that_cannot_be_used_is_said_as_one(log: AuditLog) -> None:
    log._spool.unlink()
    log._spool.mkdir()    # whoever runs the tests may read any file, but no directory as one
    with pytest.raises(FolderUnusable, match=r"audit: Is a directory\. Make room"):
        log.chain_in(0.2)
    with pytest.raises(FolderUnusable):
        _ = log.kept
    log._head.mkdir()
    with pytest.raises(FolderUnusable):
        log.head()
    with pytest.raises(NotAudited, match=r"so this was not done: .*audit: Is a directory\. Make room"):
        log.append("ada", "accounts.change", "bob", "begun")
    log._spool.rmdir()
    (log._folder / "lock").unlink(missing_ok=True)
    (log._folder / "lock").mkdir()
    log._spool.write_text("[]\n")
    with pytest.raises(FolderUnusable):
        log.chain_in(0.2)


def chained(many: int, why: str = "") -> list[Entry]:
    """A chain that holds."""
    made: list[Entry] = []
    for n in range(1, many + 1):
        before = made[-1].seal if made else FIRST
        made.append(Entry(n, NOW, "ada", "sign-in", "ada", "done", why, before).sealed(KEYS.audit_seal))
    return made


def test_a_kept_head_names_a_cut_end_and_another_chain_although_our_own_head_fits(log: AuditLog,
                                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    def checked(entries: list[Entry], copy: Head | None) -> list[str]:
        monkeypatch.setattr(log, "chain", lambda: iter(entries))
        log._head.write_text(json.dumps({"n": entries[-1].n, "seal": entries[-1].seal}))    # as who cuts it would
        done = log.checked(copy=copy)
        assert done.entries == len(entries)
        return [link.what for link in done.broken]

    whole = chained(5)
    copy = Head(4, whole[3].seal)
    assert checked(whole, copy) == []
    assert checked(whole[:3], None) == []
    assert checked(whole[:3], copy) == ["the kept head is of entry 4, and the chain ends at 3: what was written after it has "
                                        "been cut"]
    exchanged = "the entry of the kept head, 4, is not in the chain: it was cut or exchanged"
    assert checked(chained(5, "another"), copy) == [exchanged]


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"n": 0, "seal": "x"}', '{"n": "1", "seal": "x"}', '{"n": 1}',
                                  '{"n": 1, "seal": "x", "more": 1}'])
def test_what_is_no_head_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "head.json").write_text('{"n": 1, "seal": "x"}')
    assert head_in(tmp_path / "head.json") == Head(1, "x")
    (tmp_path / "head.json").write_text(text)
    with pytest.raises(ValueError, match=r"head|Expecting"):
        head_in(tmp_path / "head.json")

"""What pages share: the throttle, sessions as last confirmed, readings, jobs, and the settings file."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from app import stores
from app.jobs import Jobs
from app.readings import Kept
from app.sessions import WHILE_AWAY, Sessions, Viewer
from app.stores import Held
from app.throttle import REMEMBERED, Throttle
from engine.errors import SettingsInvalid, StoreAway
from engine.settings import Settings, load
from engine.settings_file import change
from engine.stores.accounts import Accounts, SignedIn
from tests.app.console_fake import KEYS

AWAY = StoreAway("Cassandra does not answer.", "Cassandra")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_five_failures_a_minute_and_no_more() -> None:
    clock = Clock()
    throttle = Throttle(5, clock)
    for _ in range(5):
        assert throttle.begin("ada", "1.2.3.4") == 0
        clock.at += 1
    assert throttle.begin("ada") == pytest.approx(55)
    assert throttle.begin("bob", "1.2.3.4") == pytest.approx(55)
    assert throttle.begin("bob", "5.6.7.8") == 0
    clock.at += 55
    assert throttle.begin("ada") == 0
    assert throttle.begin("ada") > 0, "one of the last five is still within the minute"


def test_many_at_once_are_as_many_tries() -> None:
    throttle = Throttle(5)
    allowed: list[float] = []
    threads = [threading.Thread(target=lambda: allowed.append(throttle.begin("ada"))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(0.0) == 5


def test_a_success_forgives_the_account_and_not_the_address() -> None:
    throttle = Throttle(2, Clock())
    throttle.begin("ada", "1.2.3.4")
    throttle.begin("ada", "1.2.3.4")
    throttle.not_counted("ada", "1.2.3.4")
    throttle.forgiven("ada")
    assert throttle.begin("ada") == 0
    assert throttle.begin("1.2.3.4") == 0, "the one that succeeded is not counted"
    assert throttle.begin("1.2.3.4") > 0


def test_names_without_end_do_not_fill_the_memory() -> None:
    throttle = Throttle(1, Clock())
    for number in range(REMEMBERED + 100):
        throttle.begin(f"name {number}")
    assert len(throttle._tries) == REMEMBERED
    assert throttle.begin(f"name {REMEMBERED + 99}") > 0


class Store:
    """Sessions of one account; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.away, self.known = 0, False, {"s1"}

    def session(self, number: str) -> SignedIn | None:
        self.asked += 1
        if self.away:
            raise AWAY
        return SignedIn(number, "ada", frozenset({"operator", "admin"}), datetime.now(UTC)) if number in self.known else None


def sessions_of(store: Store, clock: Clock) -> Sessions:
    """Sessions over a store of the test."""
    return Sessions(lambda: cast(Accounts, store), 900.0, clock)


def test_a_session_is_asked_of_the_store_every_two_seconds() -> None:
    store, clock = Store(), Clock()
    sessions = sessions_of(store, clock)
    for _ in range(50):
        assert sessions.get("s1")
        clock.at += 0.1
    assert store.asked == 3


def test_an_answer_that_was_under_way_does_not_bring_an_ended_session_back() -> None:
    store, clock = Store(), Clock()
    sessions = sessions_of(store, clock)
    answer = store.session

    def ended_meanwhile(number: str) -> SignedIn | None:
        found = answer(number)
        sessions.ended(number)
        return found

    store.session = ended_meanwhile    # type: ignore[method-assign]
    sessions.get("s1")
    assert sessions.get("s1") is None
    store.away = True
    clock.at += 10
    assert sessions.get("s1") is None


def test_while_the_store_is_away_little_may_be_done_and_not_for_long() -> None:
    store, clock = Store(), Clock()
    sessions = sessions_of(store, clock)
    assert sessions.get("s1")
    store.away = True
    clock.at += 10
    viewer = sessions.get("s1")
    assert isinstance(viewer, Viewer)
    assert not viewer.confirmed
    assert viewer.may("stream.stop")
    assert viewer.may("flow.read")
    assert not viewer.may("accounts.change")
    assert not viewer.may("letters.redrive")
    assert sessions.get("s2") is None, "who was never confirmed is a stranger"
    asked = store.asked
    clock.at += 1
    sessions.get("s1")
    assert store.asked == asked, "what failed a moment ago is not waited for again"
    clock.at += 900
    assert sessions.get("s1") is None
    store.away = False
    clock.at += 5
    assert sessions.get("s1")


def test_while_the_store_hangs_one_waits_for_it_and_the_others_are_believed() -> None:
    store, clock = Store(), Clock()
    sessions = sessions_of(store, clock)
    assert sessions.get("s1")
    store.away = True
    clock.at += 10
    assert sessions.get("s1")
    clock.at += 10
    asks, answer = threading.Event(), threading.Event()

    def hanging(number: str) -> SignedIn | None:
        asks.set()
        assert answer.wait(10)
        raise AWAY

    store.session = hanging    # type: ignore[method-assign]
    one = threading.Thread(target=sessions.get, args=("s1",))
    one.start()
    assert asks.wait(10)
    viewer = sessions.get("s1")    # would wait for the same answer
    assert viewer is not None
    assert not viewer.confirmed
    answer.set()
    one.join(10)


def test_what_may_be_done_while_away_reads_the_flow_and_starts_and_stops() -> None:
    assert {"flow.read", "producer.read", "stream.read", "producer.start", "producer.stop", "stream.start",
            "stream.stop"} == WHILE_AWAY


def test_ten_who_look_make_one_reading() -> None:
    taken, go = [], threading.Event()

    def read() -> int:
        taken.append(1)
        go.wait(10)
        return len(taken)

    kept = Kept(read, 60.0)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(kept.now(10).value)) for _ in range(10)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert found == [1] * 10
    assert kept.again().value == 2


def test_a_reading_that_fails_keeps_the_last_and_says_since_when() -> None:
    answers: list[Any] = [7, AWAY, AWAY, 8]

    def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    kept = Kept(read, 60.0)
    assert kept.now().value == 7
    first = kept.again()
    second = kept.again()
    assert (first.value, first.error, second.since) == (7, AWAY, first.since)
    healed = kept.again()
    assert (healed.value, healed.error, healed.since) == (8, None, None)


def test_a_reading_that_hangs_holds_nobody_who_has_seen_one() -> None:
    hang = threading.Event()
    kept = Kept(lambda: 1, -1.0)
    kept.now()
    kept._read = lambda: (hang.wait(10) and 2) or 2
    assert kept.now(0.0).value == 1
    assert kept.now(5.0).value == 1
    hang.set()


class SigningIn:
    """Sessions of Cassandra that are named after their principal; signing in takes until `go`, but as `console`."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.begins, self.go = threading.Event(), threading.Event()
        self.fails = False

    @contextmanager
    def __call__(self, _: Settings, principal: str) -> Iterator[str]:
        self.begun.append(principal)
        if principal != "console":
            self.begins.set()
            assert self.go.wait(10)
        if self.fails:
            raise AWAY
        yield f"session of {principal}"


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> SigningIn:
    """What stands for signing in to Cassandra."""
    made = SigningIn()
    monkeypatch.setattr(stores, "cassandra_session", made)
    monkeypatch.setattr(stores, "load_keys", lambda _: KEYS)
    return made


def as_principal(held: Held, principal: str, found: list[Any]) -> threading.Thread:
    """A thread that puts the session of a principal, or why there is none, into `found`."""
    def ask() -> None:
        try:
            with held.cassandra(principal) as session:
                found.append(session)
        except StoreAway as error:
            found.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("cached", [True, False])
def test_who_signs_in_as_one_principal_holds_nobody_of_another(tmp_path: Path, signing_in: SigningIn, cached: bool) -> None:
    held, found = Held(Settings(home=tmp_path)), list[Any]()
    if cached:
        as_principal(held, "console", []).join(10)
    officer = as_principal(held, "officer", found)
    assert signing_in.begins.wait(10)
    as_principal(held, "console", found).join(10)
    assert found == ["session of console"], "while the officer's hangs"
    signing_in.go.set()
    officer.join(10)
    assert found == ["session of console", "session of officer"]


def test_one_session_a_principal_is_made_however_many_ask_at_once(tmp_path: Path, signing_in: SigningIn) -> None:
    held, found = Held(Settings(home=tmp_path)), list[Any]()
    threads = [as_principal(held, "officer", found) for _ in range(8)]
    signing_in.go.set()
    for thread in threads:
        thread.join(10)
    assert found == ["session of officer"] * 8
    assert signing_in.begun == ["officer"]


def test_a_principal_that_is_away_is_tried_again_later_and_says_nothing_of_others(tmp_path: Path,
                                                                                  signing_in: SigningIn) -> None:
    held, found = Held(Settings(home=tmp_path)), list[Any]()
    signing_in.fails = True
    signing_in.go.set()
    for _ in range(2):
        as_principal(held, "officer", found).join(10)
    assert found == [AWAY, AWAY]
    assert signing_in.begun == ["officer"], "what failed a moment ago is not tried again at once"
    signing_in.fails = False
    as_principal(held, "console", found).join(10)
    assert found[2:] == ["session of console"]


def test_of_a_kind_of_job_one_runs_at_a_time() -> None:
    jobs, go = Jobs(), threading.Event()

    def work(say: Any) -> str:
        say("begun")
        go.wait(10)
        return "done"

    job, begun = jobs.begin("verify", "ada", work)
    again, begun_again = jobs.begin("verify", "bob", work)
    assert begun
    assert not begun_again
    assert again is job
    assert job.running
    go.set()
    _ended(jobs, "verify")
    assert (job.result, job.failed, job.lines, job.by) == ("done", False, ["begun"], "ada")


def test_a_job_that_fails_says_why() -> None:
    jobs = Jobs()

    def work(_: Any) -> str:
        raise AWAY

    job, _ = jobs.begin("recount", "ada", work)
    _ended(jobs, "recount")
    assert job.failed
    assert job.result == "Cassandra does not answer."


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_that_nobody_foresaw_ends_too_and_quotes_nothing() -> None:
    jobs = Jobs()

    def work(_: Any) -> str:
        raise KeyError("ada@example.com")

    job, _ = jobs.begin("recount", "ada", work)
    _ended(jobs, "recount")
    assert job.failed
    assert "example.com" not in job.result


def _ended(jobs: Jobs, kind: str) -> None:
    for thread in threading.enumerate():
        if thread.name == f"job {kind}":
            thread.join(10)


def test_a_setting_is_changed_and_the_rest_of_the_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    path = tmp_path / "settings.toml"
    path.write_text("# ours\n[producer]\npage = 100  # small\n\n[kafka]\nport = 9999\n")
    change(load(), "producer", {"rate": 5.0, "source": "synthetic"})
    assert load().producer.rate == 5.0
    assert load().kafka.port == 9999
    text = path.read_text()
    assert "# ours" in text
    assert "page = 100  # small" in text


@pytest.mark.parametrize(("fields", "says"), [
    ({"rate": -1.0}, "producer.rate is wrong"), ({"source": "elsewhere"}, "producer.source is wrong"),
    ({"speed": 1}, "producer.speed is wrong")])
def test_a_wrong_setting_changes_nothing(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsInvalid, match=says):
        change(Settings(home=tmp_path), "producer", fields)
    assert list(tmp_path.iterdir()) == []


def test_what_the_environment_says_cannot_be_changed_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_PRODUCER__RATE", "7")
    with pytest.raises(SettingsInvalid, match="ROLLCALL_PRODUCER__RATE of the environment would win"):
        change(Settings(home=tmp_path), "producer", {"rate": 5.0})


def test_a_damaged_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[producer\n")
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        change(Settings(home=tmp_path), "producer", {"rate": 5.0})
    assert (tmp_path / "settings.toml").read_text() == "[producer\n"

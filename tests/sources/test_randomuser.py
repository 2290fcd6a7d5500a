"""The API source against a real server that behaves, and misbehaves, like the API."""

import threading
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from engine.errors import SettingsInvalid
from engine.settings import Producer, Randomuser, Settings
from engine.sources import Page, randomuser
from engine.sources.auto import open_source
from governance.catalogue import project
from tests.lookalike import Lookalike, uuids


@pytest.fixture
def api() -> Iterator[Lookalike]:
    with Lookalike() as server:
        yield server


class Waits:
    """Records pauses without pausing; False once `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.seconds: list[float] = []
        self.why: list[str] = []

    def __call__(self, seconds: float, why: str) -> bool:
        self.seconds.append(seconds)
        self.why.append(why)
        return not self.stop.is_set()


def settings(api: Lookalike, page: int = 5, seed: str = "s", timeout_s: float = 5.0) -> Settings:
    return Settings(
        producer=Producer(source="randomuser", page=page, seed=seed),
        randomuser=Randomuser(base_url=api.url, timeout_s=timeout_s, wait_first_s=0.5, wait_most_s=4.0))


def pulled(setting: Settings, count: int, position: str | None = None) -> tuple[list[Page], Waits]:
    stop = threading.Event()
    waits = Waits(stop)
    return list(islice(randomuser.Randomuser(setting, stop).pages(position, waits), count)), waits


def names(page: Page) -> list[str]:
    return [item.person["login"]["uuid"] for item in page.items]  # type: ignore[index]


def test_pages_of_a_seed_follow_each_other_and_places_name_them(api: Lookalike) -> None:
    pages, waits = pulled(settings(api), 3)
    assert [names(page) for page in pages] == [uuids("s", number, 5) for number in (1, 2, 3)]
    assert pages[2].items[4].place == "randomuser:s:3:4"
    assert waits.seconds == []


def test_only_fields_of_the_allow_list_are_asked_for(api: Lookalike) -> None:
    pages, _ = pulled(settings(api), 1)
    assert api.asked == [{"results": "5", "seed": "s", "page": "1", "inc": randomuser.INCLUDED}]
    person = pages[0].items[0].person
    assert isinstance(person, dict)
    assert not {"id", "cell", "picture"} & set(person)
    # nothing asked for is dropped whole by the catalogue: the list and the catalogue agree
    assert set(project(person).person) == set(person)


@pytest.mark.parametrize(("trouble", "said"), [
    (429, "answers 429"), (500, "answers 500"), (503, "answers 503"), (404, "answers 404"), ("garbage", "not JSON"),
    ("empty", "not JSON"), ("cut", "not JSON"), ("error", "answers an error: 'Uh oh"), ("short", "4 people where 5"),
    ("other page", "another page"), ("slow:4", "no answer within 2 s"),
])
def test_no_page_is_lost_whatever_the_api_answers(api: Lookalike, trouble: int | str, said: str) -> None:
    api.script += ["ok", trouble, trouble, "ok", trouble]
    pages, waits = pulled(settings(api, timeout_s=2), 3)
    assert [names(page) for page in pages] == [uuids("s", number, 5) for number in (1, 2, 3)]
    assert [asked["page"] for asked in api.asked] == ["1", "2", "2", "2", "3", "3"]
    assert len(waits.why) == 3
    assert all(said in why for why in waits.why)


def test_pauses_grow_with_jitter_up_to_the_setting(api: Lookalike) -> None:
    api.script += [500] * 8
    _, waits = pulled(settings(api), 1)
    lowest = [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    assert all(low <= seconds <= min(low + 0.5, 4.0) for low, seconds in zip(lowest, waits.seconds, strict=True))
    assert waits.seconds[:3] != lowest[:3]


def test_the_limit_of_the_api_is_waited_out() -> None:
    with Lookalike(allowed=12, window_s=2.0) as api:
        stop = threading.Event()
        slept: list[float] = []

        def wait(seconds: float, why: str) -> bool:
            slept.append(seconds)
            time.sleep(0.05)
            return True

        pages = list(islice(randomuser.Randomuser(settings(api), stop).pages(None, wait), 5))
        assert [names(page) for page in pages] == [uuids("s", number, 5) for number in range(1, 6)]
        assert slept


def test_a_restart_goes_on_with_the_next_page(api: Lookalike) -> None:
    first, _ = pulled(settings(api), 2)
    then, _ = pulled(settings(api), 1, first[-1].position)
    assert names(then[0]) == uuids("s", 3, 5)


def test_without_a_seed_one_is_drawn_once_and_kept_in_the_position(api: Lookalike) -> None:
    first, _ = pulled(settings(api, seed=""), 1)
    then, _ = pulled(settings(api, seed=""), 1, first[0].position)
    other, _ = pulled(settings(api, seed=""), 1)
    seeds = [asked["seed"] for asked in api.asked]
    assert seeds[0] == seeds[1] != seeds[2]
    assert len(seeds[0]) == 16
    assert len({*names(first[0]), *names(then[0]), *names(other[0])}) == 15


def test_a_seed_set_anew_wins_over_the_position(api: Lookalike) -> None:
    first, _ = pulled(settings(api), 2)
    then, _ = pulled(settings(api, seed="other"), 1, first[-1].position)
    assert names(then[0]) == uuids("other", 1, 5)


def test_after_the_last_page_a_new_seed_follows_also_after_a_restart(
        api: Lookalike, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randomuser, "LAST_PAGE", 2)
    pages, _ = pulled(settings(api), 5)
    assert [asked["page"] for asked in api.asked] == ["1", "2", "1", "2", "1"]
    assert len({name for page in pages for name in names(page)}) == 25
    again, _ = pulled(settings(api), 1, pages[3].position)
    assert names(again[0]) == names(pages[4])


def test_more_people_than_the_api_allows_is_a_wrong_setting_not_an_endless_wait() -> None:
    with Lookalike(most=3) as api, pytest.raises(SettingsInvalid, match=r"1 people where 5.*producer\.page"):
        pulled(settings(api), 1)
    assert len(api.asked) == randomuser.WRONG_COUNTS


def test_stop_ends_the_waiting(api: Lookalike) -> None:
    api.script += [500] * 100
    stop = threading.Event()
    tries: list[str] = []

    def wait(seconds: float, why: str) -> bool:
        tries.append(why)
        if len(tries) == 3:
            stop.set()
        return not stop.is_set()

    assert list(randomuser.Randomuser(settings(api), stop).pages(None, wait)) == []
    assert len(api.asked) == 3


def test_nobody_there_is_waited_for() -> None:
    with Lookalike() as api:
        setting = settings(api)
    stop = threading.Event()
    why: list[str] = []

    def wait(seconds: float, reason: str) -> bool:
        why.append(reason)
        stop.set()
        return False

    assert list(randomuser.Randomuser(setting, stop).pages(None, wait)) == []
    assert why == ["it cannot be reached (ConnectError)"]


def test_auto_takes_the_api_where_it_answers_and_says_so(api: Lookalike) -> None:
    said: list[str] = []
    setting = settings(api).model_copy(update={"producer": Producer(source="auto")})
    assert open_source(setting, said.append, threading.Event()).name == "randomuser"
    assert api.url in said[0]


@pytest.mark.parametrize("trouble", [500, "garbage", "error", "slow:4"])
def test_auto_takes_synthetic_people_otherwise_and_says_so(api: Lookalike, trouble: int | str) -> None:
    api.script.append(trouble)
    said: list[str] = []
    setting = settings(api, timeout_s=2).model_copy(update={"producer": Producer(source="auto")})
    source = open_source(setting, said.append, threading.Event())
    assert (source.name, source.synthetic) == ("synthetic", True)
    assert "synthetic" in said[0]
    assert len(api.asked) == 1

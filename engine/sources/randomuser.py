"""People from the randomuser API, a page at a time; no page is lost, whatever the API answers.

A seed and a page number name the same people always, so a restart goes on with the next page. After page 10,000, the
API's last, a new seed follows. The `inc=` list leaves out what the catalogue drops, as far as the API allows it: the
uuid comes only with the whole login block, which the producer then drops.
"""

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_never, wait_exponential_jitter

from engine.errors import SettingsInvalid, SourceAway
from engine.settings import Settings
from engine.sources import Item, Page, Wait, parsed, people_in

INCLUDED = "gender,name,location,email,login,registered,dob,phone,nat"
LAST_PAGE = 10_000
WRONG_COUNTS = 5
"""Answers in a row with another number of people than asked for, after which it is the setting that is wrong."""


class WrongCount(SourceAway):
    """The API answers another number of people: 1 where it does not like `results`, and says nothing about it."""


class Randomuser:
    """The API at `settings.randomuser.base_url`. `stop` ends the waiting for it, `pages` ends then too."""

    name = "randomuser"
    synthetic = False
    resumes = True

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._api = settings.randomuser
        self._asked = settings.producer.page
        self._base = settings.producer.seed
        self._stop = stop

    def pages(self, position: str | None, wait: Wait) -> Iterator[Page]:
        """Pages without end. Raises SettingsInvalid when the API keeps answering another number than asked for."""
        base, seed, number = self._start(position)
        with httpx.Client(timeout=self._api.timeout_s, follow_redirects=True) as client:
            while not self._stop.is_set():
                people = self._retried(client, seed, number, wait)
                if people is None:
                    return
                following = (seed, number + 1) if number < LAST_PAGE else (_seed_after(seed), 1)
                items = tuple(Item(f"randomuser:{seed}:{number}:{index}", person)
                              for index, person in enumerate(people))
                yield Page(items, json.dumps({"base": base, "seed": following[0], "page": following[1]}))
                seed, number = following

    def _start(self, position: str | None) -> tuple[str, str, int]:
        """The seed set, the seed now, the next page. A seed set anew in the settings wins over the position."""
        if position is not None:
            kept = json.loads(position)
            if self._base in ("", kept["base"]):
                return kept["base"], kept["seed"], kept["page"]
        # 16 letters: the API hashes seed + page, so seeds of one length never meet; 18 would set the nationality
        base = self._base or secrets.token_hex(8)
        return base, base, 1

    def _retried(self, client: httpx.Client, seed: str, number: int, wait: Wait) -> list[object] | None:
        wrong = 0

        def pause(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            wait(state.upcoming_sleep, str(error))

        def attempt() -> list[object] | None:
            nonlocal wrong
            if self._stop.is_set():
                return None
            try:
                return fetch(client, self._api.base_url, seed, number, self._asked)
            except WrongCount as error:
                wrong += 1
                if wrong == WRONG_COUNTS:
                    raise SettingsInvalid(f"{error} It was asked {wrong} times. Set producer.page to what this API "
                                          "allows (randomuser.me: 1 to 5000) and start again.") from None
                raise

        retrying = Retrying(
            retry=retry_if_exception_type(SourceAway), stop=stop_never, before_sleep=pause, sleep=_slept_already,
            wait=wait_exponential_jitter(
                multiplier=self._api.wait_first_s, max=self._api.wait_most_s, jitter=self._api.wait_first_s))
        return retrying(attempt)


def fetch(client: httpx.Client, base_url: str, seed: str, number: int, count: int) -> list[object]:
    """One page of exactly `count` people. Raises SourceAway, with what the API did, for anything else."""
    try:
        answer = client.get(base_url, params={"results": count, "seed": seed, "page": number, "inc": INCLUDED})
    except httpx.TimeoutException:
        raise SourceAway(f"no answer within {client.timeout.read:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceAway(f"it cannot be reached ({type(error).__name__})") from None
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise SourceAway("it answers 429: too many people asked for in too short a time")
    if answer.status_code != httpx.codes.OK:
        raise SourceAway(f"it answers {answer.status_code}")
    try:
        body = parsed(answer.content)
    except ValueError:
        raise SourceAway(f"its answer is not JSON ({len(answer.content)} bytes)") from None
    if isinstance(body, dict) and "error" in body:
        raise SourceAway(f"it answers an error: {str(body['error'])[:100]!r}")
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        raise SourceAway("its answer holds no list of results")
    info = body.get("info")
    if isinstance(info, dict) and (info.get("seed", seed), info.get("page", number)) != (seed, number):
        raise SourceAway(f"it answers another page than page {number} of the seed asked for")
    people = [person for _, person in people_in(body)]
    if len(people) != count:
        raise WrongCount(f"The API answers {len(people)} people where {count} were asked for.")
    return people


def _seed_after(seed: str) -> str:
    return hashlib.sha256(f"after {seed}".encode()).hexdigest()[:16]


def _slept_already(seconds: float) -> None:
    """`before_sleep` has waited, where the pause can be seen and cut short."""

"""Hop 0: where people come from, page by page: the randomuser API, a file, or people made here.

    source = auto.open_source(settings, say, stop)
    for page in source.pages(position, wait):
        ...send page.items...; position = page.position
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

Wait = Callable[[float, str], bool]
"""`wait(seconds, why)`: how a source pauses, so that the pause is seen and can be cut short. False: stop was asked."""


@dataclass(frozen=True)
class Item:
    """One thing that a source gave for a person.

    place: where it stood, as `people.jsonl:12` or `randomuser:<seed>:<page>:<index>`. person: any JSON value, None with
    a problem. raw: its bytes where it could not be read as JSON. problem: why it could not, with the remedy.
    """

    place: str
    person: object
    raw: bytes = b""
    problem: str = ""


@dataclass(frozen=True)
class Page:
    """People that are sent together. position: JSON text; given back to `pages`, the source goes on after this page."""

    items: tuple[Item, ...]
    position: str


class Source(Protocol):
    """Where people come from."""

    @property
    def name(self) -> str:
        """`randomuser`, `replay` or `synthetic`: the header of each record and the name of the saved position."""

    @property
    def synthetic(self) -> bool:
        """Whether its people are made up here, which every figure made of them must say."""

    @property
    def resumes(self) -> bool:
        """Whether its position is saved and gone on from after a restart."""

    def pages(self, position: str | None, wait: Wait) -> Iterator[Page]:
        """The pages after `position`; from the start without one. Ends when there are no more, or when told to stop."""


def parsed(raw: bytes | str) -> object:
    """A JSON text as a value; ValueError when it is not JSON (NaN and Infinity are not) or nested without end."""
    try:
        return json.loads(raw, parse_constant=_not_json)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def people_in(answer: object) -> Iterator[tuple[str, object]]:
    """The people in one JSON value, each with its index as text (`[3]`) or nothing where there is just one.

    Takes an API answer (`{"results": [...]}`) and the wrapper of 0.x (`{"user": {...}}`) apart; anything else is taken
    for a person, which the catalogue then judges.
    """
    if isinstance(answer, dict) and isinstance(answer.get("results"), list):
        for index, result in enumerate(answer["results"]):
            yield f"[{index}]", _unwrapped(result)
    else:
        yield "", _unwrapped(answer)


def _unwrapped(value: object) -> object:
    if isinstance(value, dict) and isinstance(value.get("user"), dict) and "login" not in value:
        return value["user"]
    return value

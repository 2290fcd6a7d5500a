"""Clients against the real stores: who is refused hears so at once and by name, and leaves nothing open behind."""

import gc
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import secrets
from engine.clients import cassandra_session, kafka_admin, kafka_consumer, kafka_producer, mapped, mongo_client
from engine.errors import SignInRefused, StoreAway
from engine.settings import Settings

pytestmark = pytest.mark.services

WRONG = "00000000000000000000000000000000canary"


def to_cassandra(settings: Settings, principal: str) -> None:
    """Signs in to Cassandra."""
    with cassandra_session(settings, principal):
        pass


def to_mongo(settings: Settings, principal: str) -> None:
    """Signs in to MongoDB."""
    with mapped("saying hello", principal), mongo_client(settings, principal) as client:
        client.admin.command("ping")


def closing(connect: Callable[[Settings, str], Any]) -> Callable[[Settings, str], None]:
    """Signs in to Kafka and closes."""
    def sign_in(settings: Settings, principal: str) -> None:
        connect(settings, principal).close()
    sign_in.__name__ = connect.__name__
    return sign_in


KAFKA = [closing(kafka_admin), closing(kafka_producer), closing(kafka_consumer)]
SIGN_IN: list[Callable[[Settings, str], None]] = [*KAFKA, to_cassandra, to_mongo]


@pytest.fixture
def wrong(stack: Settings, tmp_path: Path) -> Settings:
    """The running stack, seen by somebody whose password for `stream` is wrong."""
    home = tmp_path / "home"
    shutil.copytree(stack.secrets, home / "secrets")
    secrets.write_secret(home / "secrets" / "stream.password", WRONG.encode())
    return stack.model_copy(update={"home": home})


@pytest.fixture
def away(stack: Settings) -> Settings:
    """The stack as it looks when no server listens: port 1 of this machine is never served."""
    def elsewhere(section: Any) -> Any:
        return section.model_copy(update={"port": 1, "request_timeout_s": 1})
    return stack.model_copy(update={
        "kafka": elsewhere(stack.kafka), "cassandra": elsewhere(stack.cassandra), "mongo": elsewhere(stack.mongo)})


def names_of_threads() -> list[str]:
    """Threads of ours that still run."""
    gc.collect()
    return sorted(thread.name for thread in threading.enumerate() if "rollcall" in thread.name)


@pytest.mark.parametrize("sign_in", SIGN_IN, ids=lambda one: one.__name__)
def test_who_has_the_password_comes_in(stack: Settings, sign_in: Callable[[Settings, str], None]) -> None:
    sign_in(stack, "stream")


@pytest.mark.parametrize("sign_in", SIGN_IN, ids=lambda one: one.__name__)
def test_a_wrong_password_is_refused_at_once_and_by_name(
        wrong: Settings, sign_in: Callable[[Settings, str], None]) -> None:
    before, started = names_of_threads(), time.monotonic()

    with pytest.raises(SignInRefused, match="refuses stream") as caught:
        sign_in(wrong, "stream")

    assert time.monotonic() - started < wrong.kafka.request_timeout_s, "it was not waited out"
    assert WRONG not in str(caught.value)
    assert set(names_of_threads()) <= set(before)


@pytest.mark.filterwarnings(    # kafka-python leaves the socket of a refused connection to the garbage collector
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("sign_in", SIGN_IN, ids=lambda one: one.__name__)
def test_a_store_that_is_away_is_named(away: Settings, sign_in: Callable[[Settings, str], None]) -> None:
    before = names_of_threads()

    with pytest.raises(StoreAway, match="does not answer"):
        sign_in(away, "stream")

    assert set(names_of_threads()) <= set(before)

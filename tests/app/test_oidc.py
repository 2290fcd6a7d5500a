"""Sign-in through a provider: the way there and back, and every answer that must not be believed."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import words
from app.door import COOKIE, Door
from app.oidc import COOKIE as STATE
from app.oidc import Provider
from app.stores import Console
from engine.errors import SettingsInvalid, SourceAway
from tests.app.console_fake import FakeConsole
from tests.app.oidc_provider import CLIENT, SECRET, Issuer, issuing

BASE = "http://127.0.0.1:8501"


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    """One provider for all tests of this file."""
    with issuing() as made:
        yield made


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    """The provider as it should be."""
    running.claims, running.signing, running.algorithm = {}, running.key, "RS256"
    return running


@pytest.fixture
def console(tmp_path: Path, issuer: Issuer) -> FakeConsole:
    """A console with this provider and one operator."""
    made = FakeConsole(tmp_path)
    made.store.make("ada", "operator")
    ours = made.settings.console.model_copy(update={"oidc_issuer": issuer.address, "oidc_client_id": CLIENT})
    made.settings = made.settings.model_copy(update={"console": ours})
    made.settings.secrets.mkdir()
    (made.settings.secrets / "oidc.secret").write_text(SECRET + "\n")
    return made


async def behind(request: Request) -> PlainTextResponse:
    """Past the door."""
    return PlainTextResponse(f"behind as {request.headers['x-console-name']}")


@pytest.fixture
def client(console: FakeConsole) -> Iterator[TestClient]:
    """A browser in front of the door."""
    provider = Provider.of(console.settings)
    app = Starlette(routes=[Route("/{path:path}", behind)], middleware=[
        Middleware(Door, console=lambda: cast(Console, console), provider=lambda: provider)])
    with TestClient(app, base_url=BASE, follow_redirects=False) as browser:
        yield browser


def gone(client: TestClient) -> dict[str, str]:
    """Goes to the provider; returns what it is asked."""
    answer = client.get("/sign-in/oidc")
    assert answer.status_code == 303
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def back(client: TestClient, issuer: Issuer, **changes: str) -> Any:
    """Goes there, signs in, comes back."""
    query = gone(client)
    return client.get("/sign-in/oidc/back", params={"code": issuer.authorized(query), "state": query["state"], **changes})


def test_who_signs_in_there_is_the_account_of_that_name_here(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    assert words.SIGN_IN_OIDC in client.get("/sign-in").text
    answer = back(client, issuer)
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    assert client.get("/").text == "behind as ada"
    assert console.store.sessions()[0].roles == {"operator"}
    assert ("ada", "sign-in", "ada", "done", "OIDC, from testclient") in console.log.wrote


def test_a_name_without_an_account_gets_nothing(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    issuer.claims = {"preferred_username": "eve"}
    answer = back(client, issuer)
    assert answer.status_code == 403
    assert "rollcall accounts add eve" in answer.text
    assert console.store.sessions() == []


def test_a_disabled_account_gets_nothing(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    console.store.disable("ada")
    assert back(client, issuer).status_code == 403


@pytest.mark.parametrize("claims", [
    {"iss": "http://evil.example"}, {"aud": "another client"}, {"exp": 1}, {"nonce": "another"}, {"nonce": None}, {"exp": None},
    {"aud": None}, {"preferred_username": None}])
def test_a_token_that_does_not_fit_signs_nobody_in(client: TestClient, console: FakeConsole, issuer: Issuer,
                                                   claims: dict[str, Any]) -> None:
    issuer.claims = claims
    answer = back(client, issuer)
    assert answer.status_code == 403
    assert words.OIDC_UNSOUND in unescape(answer.text)
    assert COOKIE not in client.cookies
    assert console.store.sessions() == []


@pytest.mark.parametrize("how", ["another key", "a shared secret"])
def test_a_token_of_another_hand_signs_nobody_in(client: TestClient, console: FakeConsole, issuer: Issuer, how: str) -> None:
    if how == "another key":
        issuer.signing = RSAKey.generate_key(2048, {"kid": "one"})
    else:
        issuer.signing, issuer.algorithm = cast(RSAKey, OctKey.import_key(SECRET * 2)), "HS256"
    assert words.OIDC_UNSOUND in unescape(back(client, issuer).text)
    assert console.store.sessions() == []


def test_nobody_comes_back_with_the_state_of_another_or_twice(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    query = gone(client)
    code = issuer.authorized(query)
    client.cookies.delete(STATE)
    assert words.OIDC_STALE in client.get("/sign-in/oidc/back", params={"code": code, "state": query["state"]}).text
    assert words.OIDC_STALE in back(client, issuer, state="guessed").text
    assert console.store.sessions() == []


def test_who_declines_is_told_so(client: TestClient) -> None:
    query = gone(client)
    answer = client.get("/sign-in/oidc/back", params={"error": "access_denied", "state": query["state"]})
    assert words.OIDC_DECLINED in unescape(answer.text)


def test_a_provider_that_is_away_is_said(client: TestClient, console: FakeConsole, monkeypatch: pytest.MonkeyPatch,
                                         issuer: Issuer) -> None:
    query = gone(client)
    code = issuer.authorized(query)
    monkeypatch.setattr("app.oidc.Provider._asked", _away)
    answer = client.get("/sign-in/oidc/back", params={"code": code, "state": query["state"]})
    assert answer.status_code == 503
    assert "does not answer" in answer.text


def _away(*_: object, **__: object) -> Any:
    raise SourceAway(words.oidc_away("ConnectError"))


def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    assert Provider.of(FakeConsole(tmp_path).settings) is None


def test_a_provider_without_its_secret_says_where_it_belongs(console: FakeConsole) -> None:
    (console.settings.secrets / "oidc.secret").unlink()
    with pytest.raises(SettingsInvalid, match=r"oidc.secret cannot be read"):
        Provider.of(console.settings)
